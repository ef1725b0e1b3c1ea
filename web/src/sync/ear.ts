// Listens to the sessions of all windows of this browser that have one document open: by a stream, or by polls where
// nothing of a stream is heard in time.
import { BROKEN, GONE } from './carrier'
import { Blocked, Gone, type Heard, poll, stream } from './downlink'
import { isClosing } from './http-frames'
import { POLLS, remember, remembers } from './memory'
import { Seat } from './seat'

/** Of a stream the first bytes come at once, and what was asked for soon, or something keeps them until it ends. */
const STREAM_WITHIN_MS = 2_500
/** How long after that a stream is tried again, each time twice as long. */
const STREAM_AGAIN_MS = 60_000
const LONGEST_STREAM_AGAIN_MS = 960_000
/** So many that are over at once are cut on the way. */
const BROKEN_STREAMS = 2
/** A session begins with so many polls: its first text is here before it is known whether streams get through. */
const FIRST_POLLS = 2
const FIRST_WAIT_S = 2
const WAIT_S = 15
const SHORTEST_WAIT_S = 3
/** Who has no seat asks so often. */
const NO_SEAT_MS = 2_000
const NO_SEAT_WAIT_S = 1
const AGAIN_MS = 250
const LONGEST_AGAIN_MS = 4_000
/** A server that could not be heard for so long is away. */
const AWAY_MS = 12_000
/** What the server reads together. */
const MOST_PARTS = 32
const TOGETHER_MS = 20
/** Windows are asked so often whether they are still there. */
const ROLL_CALL_MS = 60_000

export interface EarEvents {
  frame(session: string, number: number, frame: Uint8Array): void
  alive(kind: 'stream' | 'poll'): void
  lost(sessions: string[], code: number, reason: string): void
  /** Whoever is there says so by `add`. */
  rollCall(): void
}

/** A session: how far it was heard, and whether its window has answered the last roll call. */
interface Part {
  session: string
  position: number
  isThere: boolean
}

/** What comes of a stream or a poll: after `nothing` a pause, which grows until there is `much`. */
type Came = 'nothing' | 'little' | 'much'

export class Ear {
  readonly #parts = new Map<string, Part>()
  #round: AbortController | undefined
  #kind: 'stream' | 'poll' = remembers(POLLS) ? 'poll' : 'stream'
  #streamAgainMs = STREAM_AGAIN_MS
  #streamAt = Date.now() + STREAM_AGAIN_MS
  #firstPolls = 0
  #waitS = WAIT_S
  #delay = 0
  #failingSince: number | null = null
  #anew: ReturnType<typeof setTimeout> | undefined
  readonly #seat: Seat
  #hasSeat = false
  #isStreaming = false
  #streamBegan = 0
  /** No frame came by this stream yet. */
  #isDoubted = true
  /** Streams that were over at once, one after the other, while polls got through. */
  #brokenStreams = 0
  /** When something expected did not come. */
  #silentAt = 0
  /** Ends a pause between two polls. */
  #ring = (): void => {}
  /** Nothing was heard since what is expected was asked for. */
  #silence: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly base: string,
    private readonly id: string,
    private readonly signal: AbortSignal,
    private readonly events: EarEvents,
  ) {
    this.#seat = new Seat(signal)
    signal.addEventListener('abort', () => {
      this.#round?.abort()
      this.#ring()
    })
  }

  /** A window is there, and heard its session up to a position. */
  add(session: string, position: number): void {
    const known = this.#parts.get(session)
    if (known) {
      known.isThere = true
      known.position = Math.max(known.position, position)
      return
    }
    this.#parts.set(session, { session, position, isThere: true })
    if (position === 0) this.#firstPolls = FIRST_POLLS
    this.#askAnew()
  }

  remove(session: string): void {
    if (this.#parts.delete(session)) this.#askAnew()
  }

  /** Once for all that come or go together, as when another window takes over. */
  #askAnew(): void {
    if (!this.#round) return
    this.#anew ??= setTimeout(() => {
      this.#anew = undefined
      this.#round?.abort()
    }, TOGETHER_MS)
  }

  /** Something is to be heard soon. */
  expect(): void {
    this.#ring()
    this.#silence ??= setTimeout(() => this.#silent(), STREAM_WITHIN_MS)
  }

  async listen(): Promise<void> {
    const calling = setInterval(() => this.#callRoll(), ROLL_CALL_MS)
    await this.#sit()
    while (!this.signal.aborted) {
      const came = await this.#listenOnce()
      if (came === 'nothing') await this.#pause()
      else if (came === 'much') this.#delay = 0
      await this.#sit()
      if (!this.#hasSeat && this.#firstPolls === 0) await this.#sleep(NO_SEAT_MS)
    }
    clearInterval(calling)
    clearTimeout(this.#anew)
    this.#hush()
  }

  /** The first polls are short and need no seat. */
  async #sit(): Promise<void> {
    if (this.#firstPolls === 0) this.#hasSeat = await this.#seat.take()
  }

  #callRoll(): void {
    for (const part of [...this.#parts.values()]) {
      if (!part.isThere) this.remove(part.session)
      part.isThere = false
    }
    this.events.rollCall()
  }

  /** Before it is tried again; gives up where that is of no use. */
  async #pause(): Promise<void> {
    this.#failingSince ??= Date.now()
    if (Date.now() - this.#failingSince > AWAY_MS) this.#lose(BROKEN, 'The server does not answer')
    this.#delay = Math.min(LONGEST_AGAIN_MS, Math.max(AGAIN_MS, this.#delay * 2))
    await this.#sleep(this.#delay)
  }

  #sleep(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, this.signal.aborted ? 0 : ms)
      this.#ring = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** One stream or one poll. */
  async #listenOnce(): Promise<Came> {
    const round = new AbortController()
    this.#round = round
    if (this.signal.aborted) return 'little'
    const parts = this.#together()
    if (parts.length === 0) {
      this.#failingSince = null
      await new Promise(resolve => round.signal.addEventListener('abort', resolve))
      return 'little'
    }
    this.#hush()
    return this.#hearOut(parts, round.signal)
  }

  async #hearOut(parts: readonly Part[], signal: AbortSignal): Promise<Came> {
    const began = Date.now()
    let heard = 0
    const counted = (): void => {
      heard += 1
    }
    try {
      const isQuick = await this.#ask(parts, signal, counted)
      if (isQuick && heard === 0) return 'little'
      // What ends at once and brings nothing comes of something that answers in the server's place.
      return heard === 0 && Date.now() - began < AGAIN_MS ? 'nothing' : 'much'
    } catch (error) {
      if (!signal.aborted) this.#failed(error)
      if (signal.aborted) return 'little' // it is to be asked for anew, or in another way
      return heard === 0 || Date.now() - began < AGAIN_MS ? 'nothing' : 'much'
    }
  }

  /** What is asked for: all sessions, or where they are too many some after the others. */
  #together(): Part[] {
    const parts = [...this.#parts.values()].slice(0, MOST_PARTS)
    if (this.#parts.size > MOST_PARTS) {
      this.#firstPolls = 1
      for (const part of parts) {
        this.#parts.delete(part.session)
        this.#parts.set(part.session, part)
      }
    }
    return parts.map(part => ({ ...part }))
  }

  /** True where it was not to wait. */
  async #ask(parts: readonly Part[], signal: AbortSignal, counted: () => void): Promise<boolean> {
    const heard: Heard = {
      alive: () => this.#alive(),
      frame: (at, frame) => {
        counted()
        this.#frame(parts[at], frame)
      },
    }
    if (this.#kind === 'poll' && Date.now() > this.#streamAt) this.#kind = 'stream'
    const query = parts.map(({ session, position }) => `session=${session}.${position}`).join('&')
    const path = `${encodeURIComponent(this.id)}?${query}`
    this.#isStreaming = !this.#polls
    if (this.#isStreaming) {
      this.#isDoubted = true
      this.#streamBegan = Date.now()
      this.expect()
      await stream(`${this.base}/sse/${path}`, heard, signal)
      this.#streamOver()
      return false
    }
    const waitS = this.#waits()
    await this.#poll(`${this.base}/poll/${path}&wait=${waitS}`, heard, signal)
    this.#firstPolls = Math.max(0, this.#firstPolls - 1)
    if (this.#brokenStreams >= BROKEN_STREAMS) {
      this.#keptBack()
      this.#alive()
    }
    return waitS === 0
  }

  get #polls(): boolean {
    return this.#kind === 'poll' || this.#firstPolls > 0 || !this.#hasSeat
  }

  #waits(): number {
    if (this.#failingSince !== null) return 0
    if (this.#firstPolls > 0) return FIRST_WAIT_S
    return this.#hasSeat ? this.#waitS : NO_SEAT_WAIT_S
  }

  async #poll(url: string, heard: Heard, signal: AbortSignal): Promise<void> {
    const began = Date.now()
    try {
      await poll(url, heard, signal)
    } catch (error) {
      // Something on the way cuts what waits for longer.
      const lastedS = Math.floor((Date.now() - began) / 1000)
      if (!signal.aborted && lastedS > SHORTEST_WAIT_S) {
        this.#waitS = Math.max(SHORTEST_WAIT_S, Math.min(this.#waitS, Math.floor(lastedS / 2)))
      }
      throw error
    }
  }

  /** Nothing is expected any more. */
  #hush(): void {
    clearTimeout(this.#silence)
    this.#silence = undefined
  }

  #alive(): void {
    this.#hush()
    this.#failingSince = null
    this.events.alive(this.#hasSeat || this.#firstPolls > 0 ? this.#kind : 'poll')
  }

  #failed(error: unknown): void {
    this.#hush()
    if (error instanceof Gone) this.#lose(GONE, 'The session has ended')
    // A filter that knows no streams may know answers.
    else if (error instanceof Blocked && this.#isStreaming) {
      this.#keptBack()
      this.#round?.abort()
    } else if (this.#isStreaming) this.#streamOver()
    else {
      this.#firstPolls = 0
      this.#brokenStreams = 0
    }
  }

  /** Where it told nothing a poll tells whether the server is away, or only streams are. */
  #streamOver(): void {
    const isBroken = this.#isDoubted && Date.now() - this.#streamBegan < STREAM_WITHIN_MS
    this.#brokenStreams = isBroken ? this.#brokenStreams + 1 : 0
    if (isBroken) this.#firstPolls = 1
  }

  /** What is expected does not come. A line that has died is made anew; a stream that says nothing, or stops twice, is kept back. */
  #silent(): void {
    this.#silence = undefined
    if (!this.#polls && (this.#isDoubted || Date.now() - this.#silentAt < STREAM_AGAIN_MS)) this.#keptBack()
    this.#silentAt = Date.now()
    this.#round?.abort()
  }

  /** Polls from now on. */
  #keptBack(): void {
    this.#kind = 'poll'
    this.#brokenStreams = 0
    this.#streamAt = Date.now() + this.#streamAgainMs
    remember(POLLS, this.#streamAgainMs)
    this.#streamAgainMs = Math.min(LONGEST_STREAM_AGAIN_MS, this.#streamAgainMs * 2)
  }

  #frame(part: Part | undefined, frame: Uint8Array): void {
    if (!part) return
    this.#isDoubted = false
    part.position += 1
    const known = this.#parts.get(part.session)
    if (known) known.position = Math.max(known.position, part.position)
    // It has ended: its window begins another, or is gone.
    if (isClosing(frame)) this.#parts.delete(part.session)
    this.events.frame(part.session, part.position, frame)
  }

  #lose(code: number, reason: string): void {
    const sessions = [...this.#parts.keys()]
    this.#parts.clear()
    this.#failingSince = null
    this.events.lost(sessions, code, reason)
  }
}
