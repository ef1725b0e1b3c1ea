// What comes down by requests. Over HTTP/1.1 a browser opens six connections to a server, so one window listens for all
// that have the document open (ear.ts) and tells the others; one that is looked at, since others may be frozen.
import { BROKEN, type CarrierKind } from './carrier'
import { Ear } from './ear'
import { Turn } from './turn'

/** A window that listens and tells nothing for so long, where something was to be heard, does not hear. */
const DEAF_MS = 4_000
/** The same where nothing is expected: the server says something every 15 seconds. */
const SILENT_MS = 20_000

export interface ListenerEvents {
  heard(frame: Uint8Array): void
  alive(): void
  /** There is no such session any more (1001), or no server. */
  gone(code: number, reason: string): void
}

export interface Listener {
  readonly kind: CarrierKind
  /** Something is to be heard soon. */
  expect(): void
  stop(): void
}

/** What windows tell each other. */
type Word =
  | { word: 'here'; session: string; position: number }
  | { word: 'gone'; session: string }
  | { word: 'who' }
  | { word: 'frame'; session: string; number: number; frame: Uint8Array }
  | { word: 'alive'; kind: CarrierKind }
  | { word: 'lost'; sessions: string[]; code: number; reason: string }

export const listen = (base: string, id: string, session: string, events: ListenerEvents): Listener =>
  new Pane(base, id, session, events)

/** One window of the browser, with its session. */
class Pane implements Listener {
  kind: CarrierKind = 'stream'
  #position = 0
  #isOver = false
  readonly #turn: Turn
  #channel: BroadcastChannel | undefined
  #ear: Ear | undefined
  #deaf: ReturnType<typeof setTimeout> | undefined
  #isExpecting = false

  constructor(
    private readonly base: string,
    private readonly id: string,
    private readonly session: string,
    private readonly events: ListenerEvents,
  ) {
    const name = `coscribe ${base} ${id}`
    this.#channel = channelOf(name)
    if (this.#channel) this.#channel.onmessage = ({ data }) => this.#told(data as Word)
    this.#turn = new Turn(
      name,
      signal => void this.#lead(signal),
      () => this.#leaveChannel(),
    )
    this.#say({ word: 'here', session, position: 0 })
    if (this.#channel) this.#turn.start()
    else this.#turn.standAlone()
    this.expect()
  }

  expect(): void {
    this.#ear?.expect()
    if (this.#isExpecting) return
    this.#isExpecting = true
    this.#listenFor(DEAF_MS)
  }

  stop(): void {
    clearTimeout(this.#deaf)
    this.#say({ word: 'gone', session: this.session })
    this.#isOver = true
    this.#turn.stop()
    this.#leaveChannel()
  }

  #leaveChannel(): void {
    this.#channel?.close()
    this.#channel = undefined
  }

  #say(word: Word): void {
    this.#channel?.postMessage(word)
  }

  #listenFor(ms: number): void {
    clearTimeout(this.#deaf)
    if (this.#isOver) return
    this.#deaf = setTimeout(() => {
      this.#isExpecting = false
      this.#listenFor(SILENT_MS)
      this.#turn.take()
    }, ms)
  }

  /** Listens for all windows, until this one stops or another takes over. */
  async #lead(signal: AbortSignal): Promise<void> {
    const ear = new Ear(this.base, this.id, signal, {
      frame: (session, number, frame) => {
        if (session === this.session) this.#heard(number, frame)
        else this.#say({ word: 'frame', session, number, frame })
      },
      alive: kind => {
        this.#alive(kind)
        this.#say({ word: 'alive', kind })
      },
      lost: (sessions, code, reason) => {
        this.#say({ word: 'lost', sessions, code, reason })
        if (sessions.includes(this.session)) this.events.gone(code, reason)
      },
      rollCall: () => {
        ear.add(this.session, this.#position)
        this.#say({ word: 'who' })
      },
    })
    this.#ear = ear
    ear.add(this.session, this.#position)
    this.#say({ word: 'who' })
    await ear.listen()
    if (this.#ear === ear) this.#ear = undefined
  }

  #told(word: Word): void {
    if (this.#isOver) return
    if (word.word === 'frame' && word.session === this.session) this.#heard(word.number, word.frame)
    else if (word.word === 'alive') this.#alive(word.kind)
    else if (word.word === 'who') {
      this.#say({ word: 'here', session: this.session, position: this.#position })
    } else if (word.word === 'lost' && word.sessions.includes(this.session)) {
      this.events.gone(word.code, word.reason)
    } else if (word.word === 'here') this.#ear?.add(word.session, word.position)
    else if (word.word === 'gone') this.#ear?.remove(word.session)
  }

  #heard(number: number, frame: Uint8Array): void {
    // What was told by two windows, one after the other, counts once; behind a gap the session is begun anew.
    if (number <= this.#position) return
    if (number > this.#position + 1) {
      this.events.gone(BROKEN, 'Something was lost between two windows')
      return
    }
    this.#position = number
    this.events.heard(frame)
  }

  #alive(kind: CarrierKind): void {
    this.#isExpecting = false
    this.#listenFor(SILENT_MS)
    this.kind = kind
    this.events.alive()
  }
}

function channelOf(name: string): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel(name)
  } catch {
    return undefined // this browser lets windows not talk to each other
  }
}
