// Which carrier the frames take: the WebSocket, and where it is refused or nothing comes through it, requests. Two may be
// on their way at once; the first that is heard carries, in the middle of a sentence too: what was on its way is
// exchanged again, as after any loss.
import { BROKEN, type Carrier, type Detour, isFinal, type Opener } from './carrier'
import { forget, POLLS, REQUESTS, remember, remembers } from './memory'
import { encodeQueryAwareness, isAwareness } from './wire'

/** Whoever is not heard within this time has a rival; the server answers in milliseconds. */
const PATIENCE_MS = 3_000
/** Halfway it is asked something that is answered at once: a server may have nothing to say. */
const ASK_MS = PATIENCE_MS / 2
/** The first text may come as one large frame, over a slow line. */
const LOADING_MS = 10_000
/** A rival that is not heard by then is none. */
const CHANCE_MS = 10_000
/** How long after the requests carried the socket is tried again, each time twice as long. */
const PROBE_MS = 30_000
const LONGEST_PROBE_MS = 600_000
/** For so long a page begins with both at once where requests were needed the last time. */
const REMEMBERED_MS = 3_600_000

type Lane = 'socket' | 'requests'

export interface RaceEvents {
  opened(isAsked: boolean): void
  message(frame: Uint8Array): void
  alive(): void
  /** `detour` is another. */
  changed(): void
  /** What was opened carries no more; `opened` follows at once where a rival has won. */
  lost(): void
  ended(code: number, reason: string, afterMs: number): void
}

interface Entrant {
  readonly lane: Lane
  carrier: Carrier
  /** Null before it is open. */
  isAsked: boolean | null
  isHeard: boolean
  /** The first exchange is over: frames get through both ways. */
  isSettled: boolean
}

export class Race {
  #front: Entrant | undefined
  #rival: Entrant | undefined
  #patience: ReturnType<typeof setTimeout> | undefined
  #chance: ReturnType<typeof setTimeout> | undefined
  #probe: ReturnType<typeof setTimeout> | undefined
  #probeMs = PROBE_MS
  #why: Detour['why'] = 'silent'
  #probeAt = 0

  constructor(
    private readonly openers: Record<Lane, Opener>,
    private readonly events: RaceEvents,
  ) {
    // Another network may let through what this one did not.
    window.addEventListener('online', this.#moved)
  }

  /** What carries: it was heard. */
  get carrier(): Carrier | undefined {
    return this.#front?.isHeard ? this.#front.carrier : undefined
  }

  /** Why it is no socket; null where it is one. */
  get detour(): Detour | null {
    return this.#front?.lane === 'requests' ? { why: this.#why, triedAgainAt: this.#probeAt } : null
  }

  begin(): void {
    this.#front = this.#enter('socket')
    if (remembers(REQUESTS)) this.#challenge()
    else this.#wait()
  }

  send(frame: Uint8Array): boolean {
    if (!this.#front?.carrier.send(frame)) return false
    if (this.#patience === undefined) this.#wait()
    return true
  }

  /** The first exchange is over. Only now is a socket known to bring what is sent, too. */
  settled(): void {
    const front = this.#front
    if (!front || front.isSettled) return
    front.isSettled = true
    if (front.lane === 'socket') this.#forget()
  }

  /** Tries the socket at once. */
  tryAgain(): void {
    this.#forget()
    if (this.#front?.lane === 'requests') this.#challenge()
  }

  /** Ends what is there, without a word to whoever listens. */
  stop(): void {
    for (const timer of [this.#patience, this.#chance, this.#probe]) clearTimeout(timer)
    this.#patience = undefined
    const [front, rival] = [this.#front, this.#rival]
    this.#front = this.#rival = undefined
    front?.carrier.close()
    rival?.carrier.close()
  }

  destroy(): void {
    window.removeEventListener('online', this.#moved)
    this.stop()
  }

  readonly #moved = (): void => {
    forget(POLLS)
    this.tryAgain()
  }

  #forget(): void {
    this.#probeMs = PROBE_MS
    forget(REQUESTS)
  }

  #enter(lane: Lane): Entrant {
    const carrier = this.openers[lane]({
      opened: isAsked => this.#opened(entrant, isAsked),
      heard: frame => this.#heard(entrant, frame),
      alive: () => this.#alive(entrant),
      closed: (code, reason, afterMs) => this.#closed(entrant, code, reason, afterMs ?? 0),
    })
    const entrant: Entrant = { lane, carrier, isAsked: null, isHeard: false, isSettled: false }
    return entrant
  }

  #challenge(): void {
    const front = this.#front
    // Where both were tried in this attempt and neither is heard, the next attempt tries both again.
    if (this.#rival || (front?.lane === 'requests' && !front.isHeard)) return
    this.#rival = this.#enter(front?.lane === 'socket' ? 'requests' : 'socket')
    this.#probeAt = 0
    clearTimeout(this.#chance)
    this.#chance = setTimeout(() => this.#giveUp('silent'), CHANCE_MS)
    this.events.changed()
  }

  /** The rival is of no use. */
  #giveUp(why: Detour['why']): void {
    const wasSocket = this.#rival?.lane === 'socket'
    this.#drop()
    if (!wasSocket) return
    this.#why = why
    remember(REQUESTS, REMEMBERED_MS)
    this.#probeLater()
  }

  /** The one in front is to be heard soon. */
  #wait(): void {
    clearTimeout(this.#patience)
    const front = this.#front
    const isLoading = front?.isHeard === true && !front.isSettled
    this.#patience = setTimeout(() => {
      if (front?.isSettled) front.carrier.send(encodeQueryAwareness())
      this.#patience = setTimeout(
        () => {
          this.#patience = undefined
          if (front?.lane === 'socket') this.#challenge()
        },
        (isLoading ? LOADING_MS : PATIENCE_MS) - ASK_MS,
      )
    }, ASK_MS)
  }

  #calm(): void {
    clearTimeout(this.#patience)
    this.#patience = undefined
  }

  #opened(entrant: Entrant, isAsked: boolean): void {
    entrant.isAsked = isAsked
    if (entrant === this.#front) this.events.opened(isAsked)
  }

  #alive(entrant: Entrant): void {
    if (entrant !== this.#front) return
    // Bytes of a frame that is long on its way.
    if (entrant.isHeard && this.#patience !== undefined) this.#wait()
    this.events.alive()
  }

  #heard(entrant: Entrant, frame: Uint8Array): void {
    if (entrant === this.#rival) this.#overtake(entrant)
    if (entrant !== this.#front) return
    // Others' carets come to one, too, of whom nothing gets through.
    if (entrant.isSettled || !isAwareness(frame)) {
      this.#calm()
      if (this.#rival?.lane === 'requests') this.#drop()
    }
    if (!entrant.isHeard) this.#trust(entrant)
    this.events.message(frame)
  }

  /** The rival was heard first. */
  #overtake(rival: Entrant): void {
    const beaten = this.#front
    if (beaten?.lane === 'socket') this.#why = 'silent'
    this.#front = rival
    this.#rival = undefined
    clearTimeout(this.#chance)
    this.#calm()
    if (beaten && beaten.isAsked !== null) this.events.lost()
    beaten?.carrier.close()
    this.events.opened(rival.isAsked === true)
  }

  #trust(entrant: Entrant): void {
    entrant.isHeard = true
    if (entrant.lane === 'socket') return
    remember(REQUESTS, REMEMBERED_MS)
    this.#probeLater()
  }

  /** Requests carry for as long as the socket is not heard. */
  #probeLater(): void {
    const ms = this.#probeMs
    this.#probeMs = Math.min(LONGEST_PROBE_MS, ms * 2)
    this.#probeIn(ms)
  }

  #tryNow(): void {
    if (this.#front?.lane !== 'requests') return
    // A text that is on its way would begin anew.
    if (this.#front.isSettled) this.#challenge()
    else this.#probeIn(PROBE_MS)
  }

  #probeIn(ms: number): void {
    clearTimeout(this.#probe)
    this.#probeAt = Date.now() + ms
    this.#probe = setTimeout(() => this.#tryNow(), ms)
    this.events.changed()
  }

  #drop(): void {
    const rival = this.#rival
    this.#rival = undefined
    clearTimeout(this.#chance)
    rival?.carrier.close()
  }

  #closed(entrant: Entrant, code: number, reason: string, afterMs: number): void {
    if (entrant === this.#rival && !isFinal(code)) this.#giveUp('refused')
    else if (entrant === this.#front || entrant === this.#rival) {
      // Requests that something refuses say nothing about a socket that is on its way.
      const isOver = entrant.isHeard && !(entrant.lane === 'requests' && code === BROKEN && this.#rival)
      if (isOver || isOwnWord(code) || !this.#replace(entrant)) this.#end(code, reason, afterMs)
    }
  }

  /** Puts another in the place of one that was never heard; false where there is none left. */
  #replace(failed: Entrant): boolean {
    const rival = this.#rival ?? (failed.lane === 'socket' ? this.#enter('requests') : undefined)
    if (!rival) return false
    this.#why = 'refused'
    this.#rival = undefined
    this.#front = rival
    clearTimeout(this.#chance)
    if (failed.isAsked !== null) this.events.lost()
    if (rival.isAsked !== null) this.events.opened(rival.isAsked)
    this.#wait()
    return true
  }

  #end(code: number, reason: string, afterMs: number): void {
    this.stop()
    this.events.ended(code, reason || (code === BROKEN ? 'The connection broke' : ''), afterMs)
  }
}

/** Said by the server itself, which would say the same by requests. */
const isOwnWord = (code: number): boolean => isFinal(code) || (code >= 1011 && code <= 1013)
