import type { ReadonlySignal } from '@preact/signals-core'
import type * as Y from 'yjs'
import type { Awareness } from './awareness'
import type { CarrierKind, Detour } from './carrier'
import type { Why } from './database'

export type { Why } from './database'

/**
 * What the status element may say. `loading`: the text is not here yet; `saving`: the server has not acknowledged
 * everything; `saved`: it has, durably; `offline`: no connection, changes are kept on this device; `unsaved`: the server
 * refused a change or cannot store now.
 */
export type SaveState = 'loading' | 'saving' | 'saved' | 'offline' | 'unsaved'

/** `waiting`: between two attempts; `closed`: final, `code` is one of 4400-4499. Times are milliseconds since 1970. */
export interface ConnectionState {
  phase: 'connecting' | 'open' | 'waiting' | 'closed'
  retryAt: number | null
  code: number | null
  reason: string
  since: number
  /** The last connection went beyond its greeting: the server let us in and gave us the text. */
  served: boolean
  /** What carries the text now; null while nothing was heard yet. */
  carrier: CarrierKind | null
  /** Why that is no WebSocket, and when one is tried again. */
  detour: Detour | null
}

/** Who a person is, as the server stamps it. Colours are `#rrggbb`. */
export interface Identity {
  id: string
  name: string
  color: string
  colorLight: string
  kind: string
}

/** One client that has the document open: a person with two windows is here twice, with the same `id`. */
export interface Person extends Identity {
  clientId: number
  me: boolean
  state: 'active' | 'idle'
  /** 1-based line of the caret, null when unknown. */
  line: number | null
}

/**
 * What the server tells beside the text. `differs` is our own finding: the text is not the server's and will not become it.
 */
export interface Notice {
  kind:
    | 'refused'
    | 'role'
    | 'read-only'
    | 'degraded'
    | 'draining'
    | 'generation'
    | 'fork'
    | 'document'
    | 'damaged'
    | 'differs'
  reason: string
  frame?: number
  limit?: string
  role?: string
  retry_after?: number
  /** What the notice tells of is over. */
  recovered?: boolean
}

/**
 * A replica that the server does not take as it is, on its way into a new one. `refused`: the state that was refused and
 * the updates in it that no ack is known of; `reapply`: what the server lacks comes back as new edits.
 */
export interface Carried {
  state: Uint8Array
  refused: { state: Uint8Array; mine: Uint8Array[] } | null
  reapply: boolean
  why: Why
}

/** A selection in a document, as JSON of Yjs relative positions. */
export interface SharedCursor {
  anchor: unknown
  head: unknown
}

export interface OpenOptions {
  /** The caller's role when the page was loaded; notices change it. */
  role: string
  generation: number
  /** Who we are until the server says so itself; see `DocumentSession.identify`. */
  me?: Identity
  /** `ws://` or `wss://` address; by default `/ws/{id}` of the page's own origin. */
  url?: string
  /** This browser knows nothing of the document: its text does not wait for a copy that may be here all the same. */
  fresh?: boolean
  /** Start from the server's text alone, and deal with this older replica once it is here. */
  carried?: Carried
}

/** One open document: its replica, its connection and its copy on this device. Made by `openDocument`. */
export interface DocumentSession {
  readonly id: string
  readonly generation: number
  readonly doc: Y.Doc
  readonly text: Y.Text
  readonly awareness: Awareness
  readonly save: ReadonlySignal<SaveState>
  /** When the server last acknowledged our last change; null when nothing was changed here yet. */
  readonly savedAt: ReadonlySignal<number | null>
  /** Local changes that the server has not stored. */
  readonly unsavedCount: ReadonlySignal<number>
  /** True while closing the window could lose a change: not on the server and not on this device either. */
  readonly atRisk: ReadonlySignal<boolean>
  /** Changes reach the copy on this device; false where the browser offers no storage or it is full. */
  readonly onDevice: ReadonlySignal<boolean>
  readonly connection: ReadonlySignal<ConnectionState>
  readonly people: ReadonlySignal<Person[]>
  /** The text may be shown: it came from the server or from this device. */
  readonly synced: ReadonlySignal<boolean>
  readonly role: ReadonlySignal<string>
  /** A copy of an older generation was found here that had not been noticed before; /recover has it. */
  readonly replaced: ReadonlySignal<boolean>
  /** This replica will not be stored as it is: the server refused what is in it. */
  readonly blocked: ReadonlySignal<boolean>
  /** Calls back for every notice of the server; returns how to stop. */
  onNotice(callback: (notice: Notice) => void): () => void
  /** Tells who we are (after `GET /me` or a rename), for `people`; others hear it from the server. */
  identify(me: Identity): void
  /** Tells the role that REST gave, e.g. after it changed while there was no connection to hear of it. */
  learnRole(role: string): void
  /** Connects at once when waiting; offers refused changes again when connected. */
  retryNow(): void
  /** Tries at once whether a WebSocket gets through now. */
  trySocket(): void
  /** Sends at once whatever is on its way. */
  flush(): void
  /** Holds remote changes back while an input method composes; released 50 ms after `false`, or after 5 s. */
  hold(composing: boolean): void
  /** This replica as a new session is to take it over, see `Carried`. */
  carry(reapply: boolean, why: Why): Carried
  /** Notes on this device why the server will not have what is here. */
  explain(why: Why): void
  destroy(): void
  /** Removes this document's copy from this device, e.g. after access was lost. */
  forgetLocalCopy(): Promise<void>
}
