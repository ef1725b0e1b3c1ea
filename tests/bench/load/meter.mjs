// What is counted: times in steps of 0.05 ms, and every character at everybody who is to see it.

export const now = () => performance.now()

const STEP_MS = 0.05
const STEPS = 400_000 // 20 s; what takes longer counts as that

/** Times in milliseconds. */
export class Times {
  constructor() {
    this.counts = new Uint32Array(STEPS)
    this.count = 0
  }

  add(ms) {
    this.counts[ms <= 0 ? 0 : Math.min(STEPS - 1, (ms / STEP_MS) | 0)]++
    this.count++
  }

  /** The time that a share of all was quicker than; null without any. */
  at(share) {
    let left = Math.ceil(this.count * share)
    if (!left) return null
    let step = 0
    for (left -= this.counts[0]; left > 0; left -= this.counts[step]) step++
    return (step + 1) * STEP_MS
  }

  summary() {
    return { count: this.count, p50: this.at(0.5), p99: this.at(0.99), max: this.at(1) }
  }
}

/** Reads the clocks that one receiver is sent, and counts each character once it and all before it are here. */
export class Receiver {
  /** `own` is the number of the typist that the receiver is, -1 for none; `base` the client id of typist 0. */
  constructor(typists, own, base) {
    this.next = new Int32Array(typists)
    this.own = own
    this.base = base
    this.ahead = []
    this.reordered = 0
    /** Told the typist and from which to which of his characters came in. */
    this.onRun = null
    this.take = (client, from, to) => this.#run(client - this.base, from, to)
  }

  #run(typist, from, to) {
    if (typist < 0 || typist >= this.next.length || typist === this.own) return
    const next = this.next[typist]
    if (to <= next) return
    if (from > next) {
      this.ahead.push([typist, from, to])
      return
    }
    this.next[typist] = to
    this.onRun?.(typist, next, to)
    if (this.ahead.length) this.#late(typist)
  }

  /** What came before its predecessors counts from when they came. */
  #late(typist) {
    const next = this.next[typist]
    const found = this.ahead.findIndex(([other, from]) => other === typist && from <= next)
    if (found < 0) return
    const [[, from, to]] = this.ahead.splice(found, 1)
    this.reordered += to - from
    this.#run(typist, from, to)
    if (to <= next) this.#late(typist)
  }
}
