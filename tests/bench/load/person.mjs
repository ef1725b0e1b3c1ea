// One person's side of the conversation, in the dialect of y-websocket (ours is the same with a hello and acks, see
// docs/protocol.md) or of Hocuspocus (each message behind the document's name, an auth message first).
import { place, readByte, readFrom, readRuns, readText, readUint, sized, text, uint } from './bytes.mjs'
import { frame, turn, WebSocketLine } from './line.mjs'
import { now } from './meter.mjs'

const [SYNC, AWARENESS, AUTH, QUERY_AWARENESS, SYNC_REPLY, SYNC_STATUS] = [0, 1, 2, 3, 4, 8]
const [ACK, NOTICE] = [0x71, 0x73]
const [STEP_1, STEP_2, UPDATE] = [0, 1, 2]
const HELLO = Buffer.from([0x70, 1, 0, 0])
const SILENT_MS = 30_000
const NOBODY = Buffer.from([0])
const NO_UPDATE = Buffer.from([0, 0])

const authenticated = () => Buffer.concat([Buffer.from([AUTH, 0]), text('bench'), text('4.7.0')])
const DIALECTS = {
  'y-websocket': { prefix: () => Buffer.alloc(0), first: () => [], isAcked: false },
  coscribe: { prefix: () => Buffer.alloc(0), first: () => [HELLO], isAcked: true },
  hocuspocus: { prefix: text, first: () => [authenticated()], isAcked: true },
}

export class Person extends WebSocketLine {
  constructor({ url, document, dialect }) {
    super(url.replace('{}', encodeURIComponent(document)))
    const spoken = DIALECTS[dialect]
    this.document = document
    this.prefix = spoken.prefix(document)
    this.first = spoken.first()
    this.began = now()
    /** When the document was here. */
    this.synced = 0
    this.spoke = 0
    this.carets = 0
    this.notices = []
    /** When what was sent and not settled yet was due, oldest first; NaN for what is no keystroke. */
    this.unsettled = spoken.isAcked ? [] : null
    this.settledFrames = 0
    this.settledKeys = 0
    this.sentKeys = 0
    this.onAck = null
    /** Told each update and step 2, from where to where in the bytes. */
    this.onSync = null
    /** Takes the runs of clocks of each update: a meter's place for this person. */
    this.credit = null
  }

  opened() {
    for (const message of this.first) this.say(message)
    this.ask()
  }

  /** A message as a frame of its own. */
  pack(...parts) {
    return frame(Buffer.concat([this.prefix, ...parts]))
  }

  say(...parts) {
    this.spoke = now()
    this.write(this.pack(...parts))
  }

  /** Ask for what is missing behind a state vector. */
  ask(vector = NOBODY) {
    this.say(Buffer.from([SYNC, STEP_1]), sized(vector))
  }

  offer(update) {
    this.unsettled?.push(Number.NaN)
    this.say(Buffer.from([SYNC, UPDATE]), sized(update))
  }

  /** Something that every server understands or passes over: Hocuspocus lets go of who was silent for a minute. */
  stayAlive() {
    if (now() - this.spoke > SILENT_MS) this.say(Buffer.from([QUERY_AWARENESS]))
  }

  /** Ask, and resolve when it is answered: what was sent before was taken in by then. */
  async settle(vector) {
    if (this.closed !== null) throw new Error(`${this.document}: ${this.closed}`)
    const before = this.onSync
    await new Promise((resolve, reject) => {
      this.onSync = (kind, ...where) => {
        before?.(kind, ...where)
        if (kind === STEP_2) resolve()
      }
      this.onEnd = why => reject(new Error(`${this.document}: ${why}`))
      this.ask(vector)
    })
    this.onSync = before
    this.onEnd = null
  }

  heard(all, from) {
    readFrom(all, from + this.prefix.length)
    const type = readByte()
    if (type === SYNC || type === SYNC_REPLY) this.#sync(all)
    else if (type === AWARENESS) this.carets++
    else if (type === ACK) this.#settled(readUint() - this.settledFrames)
    else if (type === SYNC_STATUS) this.#settled(1)
    else if (type === AUTH && readByte() === 0) this.ended(`denied: ${readText()}`)
    else if (type === NOTICE) this.notices.push(JSON.parse(readText()).kind)
  }

  #sync(all) {
    const kind = readByte()
    const size = readUint()
    if (kind === STEP_1) {
      this.unsettled?.push(Number.NaN)
      this.say(Buffer.from([SYNC, STEP_2]), sized(NO_UPDATE))
      return
    }
    this.onSync?.(kind, all, place(), place() + size)
    if (this.credit !== null) readRuns(this.credit)
    if (kind === STEP_2 && this.synced === 0) this.synced = turn.time
  }

  #settled(frames) {
    this.settledFrames += frames
    for (let i = 0; i < frames; i++) {
      const due = this.unsettled?.shift()
      if (due === undefined || Number.isNaN(due)) continue
      this.settledKeys++
      this.onAck?.(turn.time - due)
    }
  }
}

/** A state vector: what is known of each client. */
export const vector = known => Buffer.concat([uint(known.length), ...known.flat().map(uint)])
