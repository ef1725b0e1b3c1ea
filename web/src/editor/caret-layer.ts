// Draws the others' carets and selections in layers beside the text. Nothing of it is in the text's own elements, so screen
// readers, the browser's search and copying never meet a name. Only what lies in the viewport is drawn.
import { EditorSelection, type Extension } from '@codemirror/state'
import {
  EditorView,
  type LayerMarker,
  layer,
  RectangleMarker,
  ViewPlugin,
  type ViewUpdate,
} from '@codemirror/view'
import { type Caret, caretField, hideFlags, setCarets } from './carets'

const FLAG_HEIGHT_PX = 20
const FLAG_WIDTH_PX = 160 // the style sheet's max-width
const HOVER_PX = 6

class CaretMarker implements LayerMarker {
  constructor(
    private readonly caret: Caret,
    private readonly left: number,
    private readonly top: number,
    private readonly height: number,
    private readonly place: string,
    private readonly flag: boolean,
  ) {}

  eq(other: LayerMarker): boolean {
    return other instanceof CaretMarker && this.#key() === other.#key()
  }

  draw(): HTMLElement {
    const element = document.createElement('div')
    element.appendChild(document.createElement('div'))
    this.#adjust(element)
    return element
  }

  update(element: HTMLElement, previous: LayerMarker): boolean {
    if (!(previous instanceof CaretMarker) || previous.caret.clientId !== this.caret.clientId) return false
    this.#adjust(element)
    return true
  }

  #key(): string {
    const { clientId, name, color } = this.caret
    return JSON.stringify([clientId, name, color, this.left, this.top, this.height, this.place, this.flag])
  }

  #adjust(element: HTMLElement): void {
    element.className = `cs-caret${this.place}${this.flag ? ' cs-caret-named' : ''}`
    element.dataset.client = String(this.caret.clientId)
    element.style.left = `${this.left - 1}px`
    element.style.top = `${this.top}px`
    element.style.height = `${this.height}px`
    element.style.backgroundColor = this.caret.color
    const flag = element.firstElementChild
    if (!(flag instanceof HTMLElement)) return
    flag.className = 'cs-caret-flag'
    flag.textContent = this.caret.name
    flag.style.backgroundColor = this.caret.color
    flag.style.color = readableOn(this.caret.color)
  }
}

class SelectionMarker implements LayerMarker {
  constructor(
    private readonly rectangle: RectangleMarker,
    private readonly color: string,
  ) {}

  eq(other: LayerMarker): boolean {
    return (
      other instanceof SelectionMarker && other.color === this.color && other.rectangle.eq(this.rectangle)
    )
  }

  draw(): HTMLElement {
    const element = this.rectangle.draw()
    element.style.backgroundColor = this.color
    return element
  }
}

/** Black or white, whichever reads better: at least 4.58:1 on any colour (WCAG 2.2 relative luminance). */
export function readableOn(color: string): '#000000' | '#ffffff' {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map(at => {
    const channel = Number.parseInt(color.slice(at, at + 2), 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  })
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
  return luminance > 0.179 ? '#000000' : '#ffffff'
}

function caretMarkers(view: EditorView): LayerMarker[] {
  const now = Date.now()
  const { from, to } = view.viewport
  const width = view.scrollDOM.clientWidth
  return view.state
    .field(caretField)
    .filter(({ head }) => head >= from && head <= to)
    .flatMap(caret => {
      const [spot] = RectangleMarker.forRange(view, '', EditorSelection.cursor(caret.head))
      if (!spot) return []
      const below = spot.top - view.scrollDOM.scrollTop < FLAG_HEIGHT_PX ? ' cs-caret-below' : ''
      const leftward = spot.left + FLAG_WIDTH_PX > width ? ' cs-caret-leftward' : ''
      const named = caret.flagUntil > now
      return new CaretMarker(caret, spot.left, spot.top, spot.height, below + leftward, named)
    })
}

function selectionMarkers(view: EditorView): LayerMarker[] {
  const { from, to } = view.viewport
  return view.state.field(caretField).flatMap(({ anchor, head, color }) => {
    const start = Math.max(from, Math.min(anchor, head))
    const end = Math.min(to, Math.max(anchor, head))
    if (start >= end) return []
    const range = EditorSelection.range(start, end)
    return RectangleMarker.forRange(view, 'cs-selection', range).map(
      rectangle => new SelectionMarker(rectangle, translucent(color)),
    )
  })
}

/** A quarter of the colour: seen on light and on dark ground, and text stays readable on it (4.5:1). */
function translucent(color: string): string {
  return `${color.slice(0, 7)}40`
}

function mustRedraw(update: ViewUpdate): boolean {
  return (
    update.docChanged ||
    update.viewportChanged ||
    update.transactions.some(({ effects }) =>
      effects.some(effect => effect.is(setCarets) || effect.is(hideFlags)),
    )
  )
}

/** Shows names while the pointer is at a caret; carets take no pointer events, so the text under them stays clickable. */
const hover = ViewPlugin.define(() => ({}), {
  eventHandlers: {
    mousemove(event, view) {
      for (const caret of view.scrollDOM.querySelectorAll('.cs-caret')) {
        const box = caret.getBoundingClientRect()
        const near =
          Math.abs(event.clientX - box.left) < HOVER_PX &&
          event.clientY > box.top - HOVER_PX &&
          event.clientY < box.bottom + HOVER_PX
        caret.classList.toggle('cs-caret-hover', near)
      }
    },
  },
})

const caretTheme = EditorView.baseTheme({
  '.cs-carets, .cs-selections': { pointerEvents: 'none' },
  '.cs-caret': { width: '2px', zIndex: '1' },
  '.cs-caret-flag': {
    position: 'absolute',
    bottom: '100%',
    left: '0',
    boxSizing: 'border-box',
    maxWidth: `${FLAG_WIDTH_PX}px`,
    padding: '0 6px',
    borderRadius: '3px 3px 3px 0',
    font: '500 12px/20px system-ui, sans-serif',
    whiteSpace: 'nowrap',
    overflow: 'hidden',
    textOverflow: 'ellipsis',
    opacity: '0',
    transition: 'opacity 150ms',
  },
  '.cs-caret-below .cs-caret-flag': { bottom: 'auto', top: '100%', borderRadius: '0 3px 3px 3px' },
  '.cs-caret-leftward .cs-caret-flag': { left: 'auto', right: '0', borderRadius: '3px 3px 0 3px' },
  '.cs-caret-named .cs-caret-flag, .cs-caret-hover .cs-caret-flag': { opacity: '1' },
  '@media (prefers-reduced-motion: reduce)': { '.cs-caret-flag': { transition: 'none' } },
})

/** The layers for `caretField`. */
export const caretLayers: Extension = [
  caretField,
  layer({ above: true, class: 'cs-carets', update: mustRedraw, markers: caretMarkers }),
  layer({ above: false, class: 'cs-selections', update: mustRedraw, markers: selectionMarkers }),
  hover,
  caretTheme,
]
