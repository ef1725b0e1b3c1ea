// What we and the server say to each other about one replica: the first exchange, local changes out, others' changes in
// through the hold gate, and the acks that the ledger counts.
import * as Y from 'yjs'
import { isAhead, sameBytes, sameStateVector, sha256 } from './digest'
import { HoldGate } from './hold'
import { Ledger } from './ledger'
import type { Notice } from './types'
import {
  type AwarenessEntry,
  decodeMessage,
  encodeHello,
  encodeStep1,
  encodeStep2,
  encodeUpdate,
  MalformedMessage,
  type ServerMessage,
} from './wire'

/** The name of the shared text; the server refuses any other. */
export const TEXT_NAME = 'content'
export const BAD_MESSAGE = 'The server sent something that could not be read'

const EMPTY_UPDATE = new Uint8Array([0, 0])
const EMPTY_STATE_VECTOR = new Uint8Array([0])
const RESYNC_PAUSE_MS = 2_000

/** What a conversation needs from its session, and what it tells it. */
export interface Surroundings {
  /** Sends a frame; false when there is no connection. */
  send(frame: Uint8Array): boolean
  /** May we write? A reader offers nothing of its own accord. */
  mayWrite(): boolean
  /** The first exchange is over: the replica holds what the server has. */
  synced(): void
  /** The ledger's numbers changed. */
  counted(): void
  presence(entries: readonly AwarenessEntry[]): void
  presenceAsked(): void
  notice(notice: Notice): void
  /** A message that can not be read; all that follows would build on it. */
  broken(): void
}

export class Conversation {
  readonly ledger = new Ledger()
  readonly gate = new HoldGate(updates => this.#apply(updates))
  /** Local updates since the last frame. */
  #unsent: Uint8Array[] = []
  /** What the server said before the replica was ready. */
  #inbox: Uint8Array[] = []
  #serverVector: Uint8Array | null = null
  #ready = false
  #open = false
  #resyncAt = 0
  #warned = false

  constructor(
    private readonly doc: Y.Doc,
    private readonly generation: number,
    private readonly around: Surroundings,
  ) {}

  /** The replica holds what this device had; the exchange may start. */
  ready(): void {
    this.#ready = true
    if (this.#open) this.#start()
  }

  opened(): void {
    this.#open = true
    this.around.send(encodeHello(this.generation))
    if (this.#ready) this.#start()
  }

  lost(): void {
    this.#open = false
    this.#unsent = []
    this.#inbox = []
    this.#serverVector = null
    this.ledger.connectionLost()
  }

  heard(bytes: Uint8Array): void {
    if (!this.#ready) {
      this.#inbox.push(bytes)
      return
    }
    try {
      this.#receive(decodeMessage(bytes))
    } catch (error) {
      console.warn(BAD_MESSAGE, error instanceof MalformedMessage ? error.message : error)
      this.around.broken()
    }
  }

  /** A local change: it leaves at the end of this turn, together with others of the same turn. */
  changed(update: Uint8Array): void {
    this.ledger.changed()
    // Before the server's step 1 nothing is sent: the answer to it will carry this change too.
    if (this.#serverVector !== null) {
      if (this.#unsent.length === 0) queueMicrotask(() => this.flush())
      this.#unsent.push(update)
    }
    this.around.counted()
  }

  /** Sends what waits for the end of the turn. */
  flush(): void {
    const [first, ...rest] = this.#unsent
    if (!first) return
    this.#unsent = []
    const update = rest.length === 0 ? first : Y.mergeUpdates([first, ...rest])
    if (this.around.send(encodeUpdate(update))) this.ledger.sent()
    this.around.counted()
  }

  /** Offers what the server refused once more. */
  offerAgain(): void {
    if (this.ledger.hasRefused) this.#offer()
  }

  #start(): void {
    this.around.send(encodeStep1(Y.encodeStateVector(this.doc)))
    this.around.presenceAsked()
    const inbox = this.#inbox
    this.#inbox = []
    for (const bytes of inbox) this.heard(bytes)
  }

  #receive(message: ServerMessage): void {
    switch (message.type) {
      case 'step-1':
        this.#serverVector = message.stateVector
        this.#offer()
        break
      case 'step-2':
        this.gate.push(message.update)
        this.around.synced()
        break
      case 'update':
        this.gate.push(message.update)
        break
      case 'ack':
        if (this.ledger.acknowledged(message.frames)) this.around.counted()
        break
      case 'digest':
        void this.#compare(message.stateVector, message.sha256)
        break
      default:
        this.#pass(message)
    }
  }

  #pass(message: Exclude<ServerMessage, { type: 'step-1' | 'step-2' | 'update' | 'ack' | 'digest' }>): void {
    switch (message.type) {
      case 'awareness':
        this.around.presence(message.entries)
        break
      case 'query-awareness':
        this.around.presenceAsked()
        break
      case 'denied':
        this.around.notice({ kind: 'refused', reason: message.reason })
        break
      case 'notice':
        this.#noticed(message.notice)
    }
  }

  #noticed(notice: Notice): void {
    if (notice.kind === 'refused' && notice.frame !== undefined) this.ledger.refused(notice.frame)
    if (notice.kind === 'degraded' || notice.kind === 'read-only') this.ledger.degraded()
    this.around.notice(notice)
    this.around.counted()
  }

  #apply(updates: Uint8Array[]): void {
    this.doc.transact(() => {
      for (const update of updates) Y.applyUpdate(this.doc, update, this)
    }, this)
    if (this.doc.store.pendingStructs !== null || this.doc.store.pendingDs !== null) this.#resync()
  }

  /** Asks for what is missing, at most every two seconds. */
  #resync(): void {
    if (Date.now() - this.#resyncAt < RESYNC_PAUSE_MS) return
    this.#resyncAt = Date.now()
    this.around.send(encodeStep1(Y.encodeStateVector(this.doc)))
  }

  /** Answers the server's step 1 with all it lacks: this is how changes made offline arrive. */
  #offer(): void {
    const theirs = this.#serverVector
    if (theirs === null) return
    const news = isAhead(Y.encodeStateVector(this.doc), theirs)
    // A reader has nothing to offer, and even known deletions would be refused; but changes made in a better role are.
    const silent = !this.around.mayWrite() && !news && this.ledger.outstanding === 0
    const update = silent ? EMPTY_UPDATE : Y.encodeStateAsUpdate(this.doc, theirs)
    this.#unsent = []
    if (this.around.send(encodeStep2(update))) this.ledger.answered(news)
    this.around.counted()
  }

  async #compare(stateVector: Uint8Array, theirs: Uint8Array): Promise<void> {
    // A deletion of ours that the server has not taken yet does not show in the state vectors.
    if (!this.ledger.allStored || this.gate.waiting > 0) return
    if (!sameStateVector(Y.encodeStateVector(this.doc), stateVector)) return
    const ours = await sha256(this.doc.getText(TEXT_NAME).toString())
    if (ours === null || sameBytes(ours, theirs)) return
    if (!this.#warned) console.warn('The text differs from the server’s; asking for all of it again')
    this.#warned = true
    this.around.send(encodeStep1(EMPTY_STATE_VECTOR))
  }
}
