// One go of typing. Every key has a time at which it is due, and every receipt of it is counted from that time: a
// generator that falls behind makes a result worse, never better.
import { turn } from './line.mjs'
import { now, Times } from './meter.mjs'
import { until } from './waiting.mjs'

// How far ahead keys are encoded where people type for long.
const AHEAD_S = 0.5
const ALL_AHEAD_S = 20

/** What all typists of a crowd do for so many seconds at so many keys a second each, and what came of it. */
export class Typing {
  constructor(crowd, { rate, seconds, drain_s: drain = 10, every_s: every = 0 }) {
    Object.assign(this, { crowd, drain, every })
    this.each = Math.max(1, Math.round(rate * seconds))
    this.period = 1000 / rate
    this.ahead = seconds > ALL_AHEAD_S ? Math.ceil(rate * AHEAD_S) : this.each
    this.base = crowd.typists[0].typist.clock
    this.latency = new Times()
    /** Of the latency, what came to people at another server than the typist's. */
    this.across = new Times()
    this.interval = new Times()
    this.late = new Times()
    this.acks = new Times()
    this.delivered = 0
    this.last = 0
    this.intervals = []
    this.busy = 0
    this.idle = 0
    this.sent = 0
    const receivers = crowd.documents.length * crowd.perDocument * (crowd.size - 1)
    this.expected = receivers * this.each
  }

  async run() {
    const { crowd } = this
    this.#shuffle()
    for (const one of crowd.typists) this.#encode(one)
    globalThis.gc?.()
    const before = this.#totals()
    this.start = now() + 50
    for (const person of crowd.people) this.#listen(person)
    crowd.streams?.listen((typist, key) => this.#due(typist, key))
    await this.#send()
    const isOver = () =>
      this.delivered >= this.expected && (crowd.streams?.isOver(this.base + this.each) ?? true)
    await until(() => isOver() || crowd.gone.length > 0, this.drain * 1000)
    return this.#result(before)
  }

  /** Typists begin one after the other within one period, in an order that mixes the documents. */
  #shuffle() {
    const { typists } = this.crowd
    const order = typists.map((_, i) => i)
    let seed = 20261123
    for (let i = order.length - 1; i > 0; i--) {
      seed = (seed * 1103515245 + 12345) % 2 ** 31
      const j = seed % (i + 1)
      ;[order[i], order[j]] = [order[j], order[i]]
    }
    this.order = order.map(i => typists[i])
    this.phase = new Float64Array(typists.length)
    for (const [i, { index }] of this.order.entries()) this.phase[index] = (i / order.length) * this.period
  }

  #encode(one) {
    const left = this.base + this.each - one.typist.clock
    one.block = one.typist.keys(Math.min(this.ahead, left))
    one.at = 0
  }

  /** When a typist's key is due. */
  #due(index, key) {
    return this.start + this.phase[index] + (key - this.base) * this.period
  }

  #listen(person) {
    const first = person.place * this.crowd.perDocument
    const apart = Array.from({ length: this.crowd.perDocument }, (_, typist) =>
      this.crowd.areApart(person.document, typist, person.number),
    )
    person.receiver.onRun = (typist, from, to) => {
      const { time } = turn
      const due = this.#due(first + typist, from)
      for (let i = from < this.base ? this.base - from : 0; i < to - from; i++) {
        const ms = time - due - i * this.period
        this.latency.add(ms)
        if (apart[typist]) this.across.add(ms)
        if (this.every) this.interval.add(ms)
        this.delivered++
      }
      this.last = time
    }
    person.onAck = ms => this.acks.add(ms)
  }

  /** Send each key when it is due. The loop spins: it has a core of its own, and a timer would come a millisecond late. */
  async #send() {
    const total = this.each * this.order.length
    const step = this.period / this.order.length
    let next = this.every ? this.start + this.every * 1000 : Number.POSITIVE_INFINITY
    const { ended } = turn
    let turned = now()
    for (let i = 0; i < total; ) {
      const time = now()
      if (turn.worked) this.busy += time - turned
      else this.idle += time - turned
      turned = time
      turn.worked = false
      for (let due = this.start + i * step; due <= time && i < total; due = this.start + ++i * step) {
        this.late.add(time - due)
        this.#press(this.order[i % this.order.length], due)
      }
      if (time >= next) next += this.#note() * 1000
      if (turn.ended > ended) break
      await new Promise(setImmediate)
    }
    this.finished = now()
  }

  #press(one, due) {
    turn.worked = true
    const { block, person } = one
    if (person.closed !== null) return
    person.write(block.bytes.subarray(block.ends[one.at], block.ends[one.at + 1]))
    person.unsettled?.push(due)
    person.spoke = due
    person.sentKeys++
    this.sent++
    if (++one.at === block.ends.length - 1) this.#encode(one)
  }

  #note() {
    this.intervals.push(this.interval.summary())
    this.interval = new Times()
    return this.every
  }

  #totals() {
    const { people } = this.crowd
    const sum = name => people.reduce((all, person) => all + person[name], 0)
    const reordered = people.reduce((all, { receiver }) => all + receiver.reordered, 0)
    return { frames: sum('frames'), carets: sum('carets'), bytes: sum('bytes'), reordered }
  }

  #result(before) {
    const after = this.#totals()
    const { p50, p99, max } = this.latency.summary()
    const seconds = (Math.max(this.last, this.finished) - this.start) / 1000
    return {
      typed: this.sent,
      delivered: this.delivered,
      lost: this.expected - this.delivered,
      per_s: this.delivered / seconds,
      seconds,
      p50,
      p99,
      max,
      late_p99: this.late.at(0.99),
      busy: this.busy / (this.busy + this.idle),
      ...Object.fromEntries(Object.keys(before).map(name => [name, after[name] - before[name]])),
      gone: this.crowd.gone,
      notices: [...new Set(this.crowd.people.flatMap(person => person.notices))],
      across: this.across.summary(),
      acks: this.acks.summary(),
      intervals: this.intervals,
      streams: this.crowd.streams?.result(seconds) ?? null,
    }
  }
}
