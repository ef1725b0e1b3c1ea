// One open document: the replica, the conversation with the server, the copy on this device and who else is here. Every
// local change goes to the device and to the server at once; `save` follows the server's acks alone.
import { type ReadonlySignal, signal } from '@preact/signals-core'
import * as Y from 'yjs'
import { Awareness } from './awareness'
import { Connection } from './connection'
import { BAD_MESSAGE, Conversation } from './conversation'
import { LocalCopy, OPEN_WITHIN_MS } from './local-copy'
import { overRequests } from './over-requests'
import { listPeople } from './people'
import { PresenceSender } from './presence'
import { overSocket } from './socket-carrier'
import { TEXT_NAME } from './text-name'
import type {
  Carried,
  ConnectionState,
  DocumentSession,
  Identity,
  Notice,
  OpenOptions,
  Person,
  SaveState,
  Why,
} from './types'

const ABSENCE_GRACE_MS = 5_000 // nobody is taken away for a blip of our connection
const OTHER_LINEAGE = 4409
const FRAME_TOO_LARGE = 1009

/** May this role change the text? */
export function mayWrite(role: string): boolean {
  return role === 'editor' || role === 'owner'
}

export class Session implements DocumentSession {
  readonly generation: number
  readonly doc = new Y.Doc()
  readonly text = this.doc.getText(TEXT_NAME)
  readonly awareness = new Awareness(this.doc.clientID)
  readonly save = signal<SaveState>('loading')
  readonly savedAt = signal<number | null>(null)
  readonly unsavedCount = signal(0)
  readonly atRisk = signal(false)
  readonly onDevice = signal(true)
  readonly people = signal<Person[]>([])
  readonly synced = signal(false)
  readonly role = signal('')
  readonly replaced = signal(false)
  readonly blocked = signal(false)
  readonly connection: ReadonlySignal<ConnectionState>

  readonly #connection: Connection
  readonly #conversation: Conversation
  readonly #copy: LocalCopy
  readonly #presence: PresenceSender
  readonly #notices = new Set<(notice: Notice) => void>()
  readonly #cleanup: (() => void)[] = []
  #me: Identity | undefined
  /** The older replica of which something may come into this one. */
  #carried: Carried | undefined
  /** What was here when the server refused it, before anything was undone. */
  #refused: Carried['refused'] = null
  #everLost = false
  #absence: ReturnType<typeof setTimeout> | undefined

  constructor(
    readonly id: string,
    options: OpenOptions,
  ) {
    this.generation = options.generation
    this.role.value = options.role
    this.#me = options.me
    this.#carried = options.carried
    this.#copy = new LocalCopy(id, options.generation)
    const url = new URL(options.url ?? socketUrl(id))
    const base = `${url.protocol === 'wss:' ? 'https' : 'http'}://${url.host}`
    const openers = { socket: overSocket(url.href), requests: overRequests(base, id) }
    this.#connection = new Connection(openers, {
      opened: isAsked => this.#opened(isAsked),
      message: bytes => this.#conversation.heard(bytes),
      lost: () => this.#lost(),
    })
    this.connection = this.#connection.state
    this.#conversation = this.#converse()
    this.#presence = new PresenceSender(this.awareness, frame => this.#connection.send(frame))
    this.#watch()
    this.#connection.connect()
    // The older replica is on this device until its successor is: it is read, but not into the new one.
    if (this.#carried) this.#conversation.ready()
    else void this.#loadCopy(options.fresh ? 0 : OPEN_WITHIN_MS)
  }

  onNotice(callback: (notice: Notice) => void): () => void {
    this.#notices.add(callback)
    return () => this.#notices.delete(callback)
  }

  identify(me: Identity): void {
    this.#me = me
    this.#refreshPeople()
  }

  retryNow(): void {
    if (this.connection.peek().phase === 'open') this.#conversation.offerAgain()
    else this.#connection.retryNow()
  }

  trySocket(): void {
    this.#connection.trySocket()
  }

  flush(): void {
    this.#conversation.flush()
    this.#copy.flush()
  }

  hold(composing: boolean): void {
    this.#conversation.gate.hold(composing)
  }

  learnRole(role: string): void {
    if (role !== this.role.peek()) this.#roleChanged(role)
  }

  carry(reapply: boolean, why: Why): Carried {
    return { state: Y.encodeStateAsUpdate(this.doc), refused: this.#refused, reapply, why }
  }

  explain(why: Why): void {
    void this.#copy.explain(why)
  }

  destroy(): void {
    this.flush()
    this.#presence.leave()
    this.#presence.destroy()
    for (const stop of this.#cleanup) stop()
    clearTimeout(this.#absence)
    this.#conversation.gate.close()
    this.#connection.destroy()
    this.#copy.close()
    this.doc.destroy()
  }

  forgetLocalCopy(): Promise<void> {
    return this.#copy.forget()
  }

  #converse(): Conversation {
    return new Conversation(this.doc, this.generation, {
      send: frame => this.#connection.send(frame),
      mayWrite: () => mayWrite(this.role.peek()),
      written: () => this.#copy.written(),
      synced: () => this.#synced(),
      counted: () => this.#count(),
      presence: entries => this.awareness.apply(entries),
      presenceAsked: () => this.#presence.announce(),
      notice: notice => this.#noticed(notice),
      broken: () => this.#connection.drop(BAD_MESSAGE),
      differs: () => this.#noticed({ kind: 'differs', reason: '' }),
    })
  }

  #watch(): void {
    const flush = (): void => this.flush()
    window.addEventListener('pagehide', flush)
    this.doc.on('update', (update: Uint8Array, origin: unknown) => this.#changed(update, origin))
    this.#cleanup.push(
      () => window.removeEventListener('pagehide', flush),
      this.awareness.onChange(() => this.#refreshPeople()),
      this.#copy.state.subscribe(() => this.#count()),
      this.connection.subscribe(() => this.#count()),
    )
    this.#refreshPeople()
  }

  async #loadCopy(withinMs: number): Promise<void> {
    const loading = this.#copy.load(this.doc)
    const overdue = new Promise<null>(resolve => setTimeout(resolve, withinMs, null))
    const inTime = (await Promise.race([loading, overdue])) !== null
    // A copy that may never come must not keep the server's text away.
    if (!inTime) this.#conversation.ready()
    const { found, unsaved, replaced } = await loading
    if (found) this.synced.value = true
    this.replaced.value = replaced
    this.#conversation.ledger.loaded(unsaved)
    if (inTime) this.#conversation.ready()
    // What only the late copy had is offered in the next exchange.
    else if (found) this.#connection.drop('The copy on this device came late')
    this.#count()
  }

  /** The new replica has the server's text: decides what of the older one comes into it. */
  async #takeOver(carried: Carried): Promise<void> {
    const rebuild = await import('./rebuild').catch((failed: unknown) => console.warn('Not loaded', failed))
    if (!rebuild) {
      // The line is probably gone again. The older replica is still on this device; the next exchange tries once more.
      this.#carried = carried
      this.#connection.drop('A part of this page could not be loaded')
      return
    }
    const older = new Y.Doc()
    Y.applyUpdate(older, carried.state)
    // Other windows may have left more of it on this device.
    await this.#copy.load(older, false)
    const { delta, text } = rebuild.settle(this.id, this.doc, older, carried)
    this.#copy.startOver(this.doc, text)
    // In one turn with the line before: what comes back is written together with what it replaces.
    if (delta) this.doc.transact(() => this.text.applyDelta(delta))
    this.synced.value = true
    this.#count()
  }

  #opened(isAsked: boolean): void {
    this.#dropAbsentSoon()
    this.#conversation.opened(isAsked)
  }

  #lost(): void {
    this.#everLost = true
    const hadMore = this.#conversation.ledger.outstanding > 0
    this.#conversation.lost()
    if (this.connection.peek().code === FRAME_TOO_LARGE && hadMore) this.#tooLarge()
    this.awareness.markStale()
    this.#dropAbsentSoon()
    this.#count()
  }

  #dropAbsentSoon(): void {
    clearTimeout(this.#absence)
    this.#absence = setTimeout(() => this.awareness.dropStale(), ABSENCE_GRACE_MS)
  }

  #tooLarge(): void {
    this.#conversation.tooLarge()
    const reason = 'It is more than the server takes at once.'
    this.#noticed({ kind: 'refused', reason, limit: 'max_frame_bytes' })
  }

  #synced(): void {
    this.#connection.settled()
    const carried = this.#carried
    this.#carried = undefined
    if (carried) void this.#takeOver(carried)
    else this.synced.value = true
    this.#count()
  }

  #changed(update: Uint8Array, origin: unknown): void {
    if (origin === this.#copy) return
    if (origin === this.#conversation) {
      this.#copy.keepRemote(update)
      return
    }
    // Counted first: at no moment may everything look stored that was made.
    this.#conversation.changed(update)
    this.#copy.keepLocal(update)
  }

  #noticed(notice: Notice): void {
    if (notice.kind === 'draining') this.#connection.delayAtLeast((notice.retry_after ?? 0) * 1000)
    if (notice.kind === 'role' && notice.role !== undefined) this.#roleChanged(notice.role)
    if (this.#conversation.ledger.isBlocked) this.#keepRefused()
    for (const callback of this.#notices) callback(notice)
    // A replica of another lineage must not be merged: it is kept as a copy, and the page offers its text.
    if (notice.kind === 'fork') this.#connection.end(OTHER_LINEAGE, notice.reason)
  }

  #keepRefused(): void {
    this.#refused ??= { state: Y.encodeStateAsUpdate(this.doc), mine: this.#copy.unsaved }
  }

  #roleChanged(role: string): void {
    this.role.value = role
    if (mayWrite(role)) this.#conversation.offerAgain()
  }

  /** Brings the signals up to the ledger, the connection and the local copy. */
  #count(): void {
    const { ledger } = this.#conversation
    const { phase } = this.connection.peek()
    const before = this.unsavedCount.peek()
    const now = ledger.outstanding
    if (before > 0 && now === 0) this.savedAt.value = Date.now()
    if (ledger.allStored) this.#copy.stored()
    this.blocked.value = ledger.isBlocked
    this.unsavedCount.value = now
    this.atRisk.value = now > 0 && this.#copy.state.peek() !== 'kept'
    this.onDevice.value = this.#copy.state.peek() !== 'failed'
    const line = phase === 'open' ? 'open' : phase === 'connecting' && !this.#everLost ? 'first' : 'lost'
    const ended = phase === 'closed' && now > 0
    this.save.value = ended ? 'unsaved' : ledger.saveState(line, this.synced.peek())
  }

  #refreshPeople(): void {
    const people = listPeople(this.awareness, this.#me)
    if (JSON.stringify(people) !== JSON.stringify(this.people.peek())) this.people.value = people
  }
}

function socketUrl(id: string): string {
  const { protocol, host } = window.location
  return `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/ws/${encodeURIComponent(id)}`
}
