// What the server has promised to keep. A change is counted here from the moment it is made until the server's ack
// covers the frame that carried it; `saved` is computed from these numbers alone, so it can not run ahead of the server.
import type { SaveState } from './types'

interface Frame {
  changes: number
  refused: boolean
  /** A step 2, which carries again what was refused before it. */
  readonly isWhole: boolean
}

/** What a frame carried and was refused is carried again by a later one. */
const carry = (refused: Frame, by: Frame): void => {
  by.changes += refused.changes
  refused.changes = 0
  refused.refused = false
}

export class Ledger {
  /** Changes that no frame of this connection carries yet. */
  #unsent = 0
  /** Frames of this connection without an ack, oldest first. */
  #frames: Frame[] = []
  #settled = 0
  #refused = 0
  #answered = false
  #everSettled = false
  #degraded = false
  #blocked = false

  /** Local changes that the server has not durably stored. */
  get outstanding(): number {
    return this.#unsent + this.#refused + this.#frames.reduce((sum, { changes }) => sum + changes, 0)
  }

  get unsent(): number {
    return this.#unsent
  }

  /** Something was refused. What is made after it would only wait for it at the server, and is kept back. */
  get hasRefused(): boolean {
    return this.#refused > 0 || this.#frames.some(({ refused }) => refused)
  }

  /** What was refused would be refused again: this replica can not be stored as it is. */
  get isBlocked(): boolean {
    return this.#blocked
  }

  block(): void {
    this.#blocked = true
  }

  /** The copy on this device holds so many changes that no ack is known of. */
  loaded(changes: number): void {
    this.#unsent += changes
  }

  /** Everything ever made here was offered on this connection, and the server has acknowledged all of it. */
  get allStored(): boolean {
    return this.#answered && this.#frames.length === 0 && this.outstanding === 0
  }

  changed(): void {
    this.#unsent += 1
  }

  /** A frame with this many of the unsent changes leaves; by default with all. */
  sent(changes = this.#unsent): void {
    this.#frames.push({ changes, refused: false, isWhole: false })
    this.#unsent -= changes
  }

  /**
   * The server's step 1 is answered with a step 2 that carries all it lacks. `news` says that it lacks something of which
   * no change was counted, such as what an earlier window left on this device; that counts as one change.
   */
  answered(news: boolean): void {
    if (news && this.outstanding === 0) this.#unsent = 1
    const whole = { changes: this.#unsent + this.#refused, refused: false, isWhole: true }
    this.#unsent = 0
    this.#refused = 0
    this.#answered = true
    // The server may ask before it has settled what it refused.
    for (const frame of this.#frames) if (frame.refused) carry(frame, whole)
    this.#frames.push(whole)
  }

  /** The server's step 1 is answered with nothing, since what we have is refused. */
  answeredNothing(): void {
    this.#answered = true
    this.#frames.push({ changes: 0, refused: false, isWhole: false })
  }

  /** The first `count` frames of this connection are settled. True when this ack settled something. */
  acknowledged(count: number): boolean {
    const now = Math.min(count - this.#settled, this.#frames.length)
    if (now <= 0) return false
    for (const frame of this.#frames.splice(0, now)) {
      if (frame.refused) this.#refused += frame.changes
    }
    this.#settled += now
    this.#degraded = false
    if (this.allStored) this.#everSettled = true
    return true
  }

  /** A notice names a frame that will not be stored. A refused frame counts even if it carried no counted change. */
  refused(frameNumber: number): void {
    const index = frameNumber - this.#settled - 1
    const frame = this.#frames[index]
    if (!frame) return
    frame.changes = Math.max(1, frame.changes)
    frame.refused = true
    // Its question and our answer may have passed this notice on the way.
    const whole = this.#frames.find(({ isWhole }, at) => isWhole && at > index)
    if (whole) carry(frame, whole)
  }

  /** The server cannot write now, or can again; its next ack says the latter too. */
  degraded(isSo: boolean): void {
    this.#degraded = isSo
  }

  /** The connection is gone: what had no ack is unsent again, and frames are counted from 1 on the next one. */
  connectionLost(): void {
    this.#unsent = this.outstanding
    this.#frames = []
    this.#settled = 0
    this.#refused = 0
    this.#answered = false
    this.#degraded = false
  }

  saveState(connection: 'first' | 'open' | 'lost', shown: boolean): SaveState {
    if (!shown) return 'loading'
    if (connection === 'lost') return 'offline'
    if (this.#blocked || this.hasRefused) return 'unsaved'
    if (this.#degraded && !this.allStored) return 'unsaved'
    if (connection === 'open' && this.allStored) return 'saved'
    return this.outstanding > 0 || this.#everSettled ? 'saving' : 'loading'
  }
}
