// What others write never moves what one looks at. CodeMirror holds the top line of the window, and loses it when several
// changes come before it could measure; here the caret's own line is held, or the top line when the caret is out of sight.
import type { ChangeSet, StateEffect } from '@codemirror/state'
import { EditorView } from '@codemirror/view'

/** A place in the text and how far below the top of the window it is drawn, in pixels. */
export interface Place {
  at: number
  below: number
}

function drawnAt(view: EditorView, at: number): Place | null {
  // Measures first, so that an earlier change of the same frame is in the figures.
  const box = view.coordsAtPos(at)
  return box && { at, below: box.top - view.scrollDOM.getBoundingClientRect().top }
}

function caret(view: EditorView): Place | null {
  if (!view.hasFocus) return null
  const place = drawnAt(view, view.state.selection.main.head)
  return place && place.below >= 0 && place.below < view.scrollDOM.clientHeight ? place : null
}

function topLine(view: EditorView): Place | null {
  const top = view.scrollDOM.getBoundingClientRect().top
  return drawnAt(view, view.lineBlockAtHeight(top - view.documentTop).from)
}

/** The place that has to stay where it is while the text changes from `from` on; null when nothing above it changes. */
export function placeToHold(view: EditorView, from: number): Place | null {
  // Whatever is held lies in what is drawn: a change behind that moves nothing and costs no measuring.
  // Nor is there anything to hold while the source is not shown.
  if (from >= view.viewport.to || view.scrollDOM.clientHeight === 0) return null
  const place = caret(view) ?? topLine(view)
  return place && from < place.at ? place : null
}

/** Goes along with the change; afterwards, measuring brings the place back to where it was drawn. */
export function held({ at, below }: Place, changes: ChangeSet): StateEffect<unknown> {
  return EditorView.scrollIntoView(changes.mapPos(at, -1), { y: 'start', yMargin: below })
}
