// What we and the server say to each other about one replica: the first exchange, local changes out, others' changes in
// through the hold gate, and the acks that the ledger counts.
import * as Y from 'yjs'
import { merged } from './bundle'
import { isAhead, sameBytes, sameStateVector, sha256 } from './digest'
import { HoldGate } from './hold'
import { Ledger } from './ledger'
import { TEXT_NAME } from './text-name'
import type { Notice } from './types'
import {
  type AwarenessEntry,
  decodeMessage,
  encodeDoubt,
  encodeHello,
  encodeStep1,
  encodeStep2,
  encodeUpdate,
  MalformedMessage,
  type ServerMessage,
} from './wire'

export const BAD_MESSAGE = 'The server sent something that could not be read'

const EMPTY_UPDATE = new Uint8Array([0, 0])
const EMPTY_STATE_VECTOR = new Uint8Array([0])
const RESYNC_PAUSE_MS = 2_000
// A frame of the server's usual limit holds many of these; one update may be larger than this all the same.
const FRAME_BYTES = 256 * 1024
/** Refusals that pass: of a role that may be given back, and of a server that cannot save for a while. */
const PASSING_LIMITS: readonly (string | undefined)[] = ['role', 'max_unsaved_bytes']

/** What a conversation needs from its session, and what it tells it. */
export interface Surroundings {
  /** Sends a frame; false when there is no connection. */
  send(frame: Uint8Array): boolean
  /** May we write? A reader offers nothing of its own accord. */
  mayWrite(): boolean
  /** Resolves when all changes so far are on this device, or can not be there in time. */
  written(): Promise<void>
  /** The first exchange is over: the replica holds what the server has. */
  synced(): void
  /** The ledger's numbers changed. */
  counted(): void
  presence(entries: readonly AwarenessEntry[]): void
  presenceAsked(): void
  notice(notice: Notice): void
  /** A message that can not be read; all that follows would build on it. */
  broken(): void
  /** Our text is not the server's, although it should be and everything was asked for again. */
  differs(): void
}

interface Digest {
  stateVector: Uint8Array
  sha256: Uint8Array
}

export class Conversation {
  readonly ledger = new Ledger()
  readonly gate = new HoldGate(updates => this.#apply(updates))
  /** Local updates since the last frame. */
  #unsent: Uint8Array[] = []
  /** A turn of sending waits for this device to have written. */
  #isSending = false
  /** What the server said before the replica was ready. */
  #inbox: Uint8Array[] = []
  #serverVector: Uint8Array | null = null
  #ready = false
  #open = false
  /** All of the text was asked for on this connection before we had it. */
  #isAsked = false
  #resyncAt = 0
  /** The digest that our text did not fit, while all of it is asked for again. */
  #suspect: Digest | null = null

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

  opened(isAsked: boolean): void {
    this.#open = true
    this.#isAsked = isAsked
    this.around.send(encodeHello(this.generation))
    if (this.#ready) this.#start()
  }

  lost(): void {
    this.#open = false
    this.#unsent = []
    this.#inbox = []
    this.#serverVector = null
    this.#suspect = null
    this.ledger.connectionLost()
  }

  /** A frame of ours was more than the server takes: what we have would end every connection. */
  tooLarge(): void {
    this.ledger.block()
    this.around.counted()
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

  /** A local change: it leaves once it is on this device, together with others that were written with it. */
  changed(update: Uint8Array): void {
    this.ledger.changed()
    // Before the server's step 1 nothing is sent: the answer to it will carry this change too. Nor is anything while
    // the server lacks what this change builds on.
    if (this.#serverVector !== null && !this.ledger.hasRefused) {
      this.#unsent.push(update)
      void this.#sendWritten()
    }
    this.around.counted()
  }

  async #sendWritten(): Promise<void> {
    if (this.#isSending) return
    this.#isSending = true
    while (this.#unsent.length > 0) {
      // All changes of this turn first, each handed to this device by then: what is asked to be written is what is sent.
      await Promise.resolve()
      const count = this.#unsent.length
      const [first] = this.#unsent
      await this.around.written()
      // The line may have been lost or flushed meanwhile: then it is another queue.
      if (this.#unsent[0] === first) this.#send(count)
    }
    this.#isSending = false
  }

  /** Sends what waits for this device, at once. */
  flush(): void {
    this.#send(this.#unsent.length)
  }

  #send(count: number): void {
    const updates = this.#unsent.splice(0, count)
    while (updates.length > 0) {
      let bytes = 0
      let some = 0
      while (some < updates.length && (some === 0 || bytes < FRAME_BYTES)) {
        bytes += updates[some]?.length ?? 0
        some += 1
      }
      const update = merged(updates.splice(0, some))
      if (update && this.around.send(encodeUpdate(update))) this.ledger.sent(some)
    }
    this.around.counted()
  }

  /** Offers what the server refused once more. */
  offerAgain(): void {
    if (this.ledger.hasRefused) this.#offer()
  }

  #start(): void {
    if (!this.#isAsked) this.around.send(encodeStep1(Y.encodeStateVector(this.doc)))
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
        void this.#compareAgain()
        break
      case 'update':
        this.gate.push(message.update)
        break
      case 'ack':
        if (this.ledger.acknowledged(message.frames)) this.around.counted()
        break
      case 'digest':
        void this.#compare(message)
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

  #noticed(notice: Notice | null): void {
    if (notice === null) return
    if (notice.kind === 'refused' && notice.frame !== undefined) {
      this.ledger.refused(notice.frame)
      if (!PASSING_LIMITS.includes(notice.limit)) this.ledger.block()
    }
    if (notice.kind === 'degraded' || notice.kind === 'read-only') this.ledger.degraded(!notice.recovered)
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
    if (this.ledger.isBlocked) {
      if (this.around.send(encodeStep2(EMPTY_UPDATE))) this.ledger.answeredNothing()
      this.around.counted()
      return
    }
    const news = isAhead(Y.encodeStateVector(this.doc), theirs)
    // A reader has nothing to offer, and even known deletions would be refused; but changes made in a better role are.
    const silent = !this.around.mayWrite() && !news && this.ledger.outstanding === 0
    const update = silent ? EMPTY_UPDATE : Y.encodeStateAsUpdate(this.doc, theirs)
    this.#unsent = []
    if (this.around.send(encodeStep2(update))) this.ledger.answered(news)
    this.around.counted()
  }

  async #compare(digest: Digest): Promise<void> {
    if (!(await this.#contradicts(digest)) || this.#suspect) return
    console.warn('The text differs from the server’s; asking for all of it again')
    this.#suspect = digest
    this.around.send(encodeStep1(EMPTY_STATE_VECTOR))
  }

  /** Everything was sent again: a difference that is still there will not go away. */
  async #compareAgain(): Promise<void> {
    const suspect = this.#suspect
    if (!suspect) return
    this.#suspect = null
    if (!(await this.#contradicts(suspect))) return
    this.around.send(encodeDoubt())
    this.around.differs()
  }

  async #contradicts({ stateVector, sha256: theirs }: Digest): Promise<boolean> {
    // A deletion of ours that the server has not taken yet does not show in the state vectors.
    if (!this.ledger.allStored || this.gate.waiting > 0) return false
    if (!sameStateVector(Y.encodeStateVector(this.doc), stateVector)) return false
    const ours = await sha256(this.doc.getText(TEXT_NAME).toString())
    return ours !== null && !sameBytes(ours, theirs)
  }
}
