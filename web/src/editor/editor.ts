// The editor of one document: a CodeMirror view bound to the session's text.
import { Compartment, EditorState, type Extension } from '@codemirror/state'
import { EditorView, keymap, placeholder } from '@codemirror/view'
import type { DocumentSession } from '../sync/types'
import { TextBinding, visibleText } from './binding'
import { caretLayers } from './caret-layer'
import { caretField, followCarets, raiseFlag, setCarets } from './carets'
import { type Commands, commandsFor, keysFor } from './keys'
import { markdown } from './language'
import { look } from './look'
import { pasteAddress } from './marks'
import { phrases } from './phrases'
import type { showSearch as ShowSearch } from './search'
import { shareCaret } from './share-caret'
import { TextInfo } from './text-info'
import type { CommandName, EditorHandle, EditorOptions } from './types'

export type * from './types'

/** Makes an editor inside `options.parent`. The session must be synced: the view shows its text as it is now. */
export function createEditor(options: EditorOptions): EditorHandle {
  return new Editor(options)
}

class Editor implements EditorHandle {
  readonly view: EditorView
  readonly #info = new TextInfo()
  readonly wordCount = this.#info.wordCount
  readonly selection = this.#info.selection
  readonly title = this.#info.title
  readonly #session: DocumentSession
  readonly #binding: TextBinding
  readonly #commands: Commands
  readonly #access = new Compartment()
  readonly #search = new Compartment()
  readonly #preload: ReturnType<typeof setTimeout>
  #showSearch: typeof ShowSearch | null = null
  #destroyed = false

  constructor(options: EditorOptions) {
    this.#session = options.session
    this.#binding = new TextBinding(options.session.text)
    this.#commands = commandsFor(this.#binding.history)
    this.view = new EditorView({
      parent: options.parent,
      state: EditorState.create({
        doc: visibleText(options.session.text),
        extensions: this.#extensions(options),
      }),
      dispatchTransactions: this.#binding.dispatch,
    })
    this.#binding.attach(this.view)
    // Ready before it is wanted: what is typed right after the key must not land in the text.
    this.#preload = setTimeout(() => void this.#loadSearch(), 1_000)
  }

  focus(): void {
    this.view.focus()
  }

  setReadOnly(readOnly: boolean): void {
    if (readOnly === this.view.state.readOnly) return
    this.view.dispatch({ effects: this.#access.reconfigure(access(readOnly)) })
  }

  goTo(clientId: number): boolean {
    const carets = this.view.state.field(caretField)
    const caret = carets.find(each => each.clientId === clientId)
    const place = caret?.head ?? this.#lineOf(clientId)
    if (place === null) return false
    this.view.dispatch({
      effects: [EditorView.scrollIntoView(place, { y: 'center' }), setCarets.of(raiseFlag(carets, clientId))],
    })
    return true
  }

  run(command: CommandName): boolean {
    return this.#commands[command](this.view)
  }

  async openSearch(replace = false): Promise<void> {
    if (this.#showSearch) {
      this.#showSearch(this.view, replace)
      return
    }
    // What is typed before the panel is here must not land in the text.
    this.view.contentDOM.blur()
    const show = await this.#loadSearch()
    if (show) show(this.view, replace)
    else this.focus()
  }

  destroy(): void {
    this.#destroyed = true
    clearTimeout(this.#preload)
    this.#session.hold(false)
    this.#binding.destroy()
    this.view.destroy()
  }

  #extensions({ session, nonce, readOnly, placeholder: hint }: EditorOptions): Extension {
    return [
      EditorView.cspNonce.of(nonce),
      this.#binding.extension,
      this.#access.of(access(readOnly)),
      this.#search.of([]),
      phrases,
      keymap.of(keysFor(this.#commands, (_view, replace) => void this.openSearch(replace))),
      markdown,
      pasteAddress,
      look,
      caretLayers,
      followCarets(session),
      shareCaret(session),
      this.#info.extension,
      EditorView.lineWrapping,
      EditorView.contentAttributes.of(contentAttributes),
      composition(session),
      placeholder(hint ?? 'Start writing'),
    ]
  }

  /** The start of the line a person said to be in, for those who have left the editor but not the document. */
  #lineOf(clientId: number): number | null {
    const line = this.#session.people.peek().find(person => person.clientId === clientId)?.line ?? null
    const { doc } = this.view.state
    return line === null ? null : doc.line(Math.min(line, doc.lines)).from
  }

  async #loadSearch() {
    try {
      const { searchExtension, showSearch } = await import('./search')
      if (this.#destroyed) return null
      if (!this.#showSearch) {
        this.#showSearch = showSearch
        this.view.dispatch({ effects: this.#search.reconfigure(searchExtension) })
      }
      return showSearch
    } catch (error) {
      // Offline before it was ever loaded: the key tries again.
      console.warn('Find and replace could not be loaded', error)
      return null
    }
  }
}

const contentAttributes = {
  'aria-label': 'Document text',
  'aria-multiline': 'true',
  // Read-only text is reached by keyboard only so, and a region that scrolls must be.
  tabindex: '0',
  spellcheck: 'true',
  autocorrect: 'on',
  autocapitalize: 'sentences',
  translate: 'no',
}

/** Read-only text takes no caret but can be reached, selected and scrolled with the keyboard (its tabindex). */
function access(readOnly: boolean): Extension {
  return readOnly ? [EditorState.readOnly.of(true), EditorView.editable.of(false)] : []
}

/** Remote changes wait while an input method composes. */
function composition(session: DocumentSession): Extension {
  return EditorView.domEventHandlers({
    compositionstart: () => session.hold(true),
    compositionend: () => session.hold(false),
    blur: () => session.hold(false),
  })
}
