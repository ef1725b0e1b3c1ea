// People in documents, some of whom type.
import { Receiver } from './meter.mjs'
import { Person, vector } from './person.mjs'
import { Typing } from './typing.mjs'
import { FIRST_ID, SEED_ID, seedText, seedUpdate, Typist } from './typist.mjs'
import { until } from './waiting.mjs'

// So many connect at a time; only a storm wants all of them at once.
const WAVE = 100
// Everybody is looked at within 15 s, a few at a time.
const ALIVE_TURNS = 75
const ALIVE_MS = 200

/** Connect people to documents, a wave at a time, and wait until they have them; `urlOf` says where the i-th goes. */
const connect = async (documents, how, urlOf) => {
  const people = []
  for (let i = 0; i < documents.length; i += WAVE) {
    const wave = documents
      .slice(i, i + WAVE)
      .map((document, at) => new Person({ ...how, document, url: urlOf(document, i + at) }))
    people.push(...wave)
    await until(() => wave.every(person => person.synced || person.closed !== null))
    const lost = wave.find(person => !person.synced)
    if (lost) throw new Error(`somebody is not let in: ${lost.closed ?? 'no answer'}`)
  }
  return people
}

export class Crowd {
  /**
   * `people` in each of the documents, of whom the first `typists` type, in a text of `length` characters. Where there
   * are several servers `ways` has the URLs of each document, round which its people go.
   */
  constructor({
    documents,
    people,
    typists = 0,
    length = 2000,
    isTold = false,
    hasCaret = true,
    isSilent = false,
    ways = null,
    ...how
  }) {
    Object.assign(this, {
      documents,
      size: people,
      perDocument: typists,
      length,
      isTold,
      hasCaret,
      isSilent,
      ways,
      how,
    })
    this.places = new Map(documents.map((document, place) => [document, place]))
    this.seed = seedUpdate(length)
    this.people = []
    this.typists = []
    this.streams = null
    this.turns = 0
  }

  async gather() {
    const first = await connect(this.documents, this.how, document => this.urlOf(document, 0))
    for (const person of first) person.offer(this.seed)
    for (const person of first) await person.settle(vector([[SEED_ID, this.length]]))
    const others = Array(this.size - 1)
      .fill(this.documents)
      .flat()
    const numberOf = i => 1 + Math.floor(i / this.documents.length)
    const rest = await connect(others, this.how, (document, i) => this.urlOf(document, numberOf(i)))
    this.people = [...first, ...rest]
    if (!this.isSilent) this.alive = setInterval(() => this.#stayAlive(), ALIVE_MS)
    for (const [i, person] of this.people.entries()) this.#seat(person, Math.floor(i / this.documents.length))
    return { connections: this.people.length }
  }

  /** Where the person of this number in a document goes. */
  urlOf(document, number) {
    const urls = this.ways?.[document] ?? [this.how.url]
    return urls[number % urls.length]
  }

  /** Whether two people of a document, by their numbers, are at two servers. */
  areApart(document, one, other) {
    return this.urlOf(document, one) !== this.urlOf(document, other)
  }

  #seat(person, number) {
    const isTyping = number < this.perDocument
    person.receiver = new Receiver(this.perDocument, isTyping ? number : -1, FIRST_ID)
    person.credit = this.perDocument ? person.receiver.take : null
    person.place = this.places.get(person.document)
    person.number = number
    if (!isTyping) return
    const { length, isTold, hasCaret } = this
    const typist = new Typist({
      number,
      of: this.perDocument,
      length,
      prefix: person.prefix,
      isTold,
      hasCaret,
    })
    if (person.place === 0) typist.prove(this.seed)
    this.typists.push({ person, typist, index: person.place * this.perDocument + number })
  }

  /** Why people are gone who did not leave. */
  get gone() {
    return [...new Set(this.people.map(person => person.closed).filter(why => why !== null))]
  }

  /** Let some of them show that they are there; all of them at once would be a load. */
  #stayAlive() {
    for (let i = this.turns++ % ALIVE_TURNS; i < this.people.length; i += ALIVE_TURNS)
      this.people[i].stayAlive()
  }

  leave() {
    clearInterval(this.alive)
    for (const person of this.people) person.leave()
  }

  /** All type so many keys a second for so long; what came of it. See Typing. */
  async type(how) {
    return await new Typing(this, how).run()
  }

  /** Wait until the server has taken in all that was typed. */
  async settle() {
    const { clock } = this.typists[0]?.typist ?? { clock: 0 }
    const known = Array.from({ length: this.perDocument }, (_, number) => [FIRST_ID + number, clock])
    const asked = vector([[SEED_ID, this.length], ...known])
    await Promise.all(this.typists.map(({ person }) => person.settle(asked)))
    return {}
  }

  /** The text that a document must have by now. */
  textOf(place) {
    const seed = seedText(this.length)
    const here = this.typists.filter(({ person }) => person.place === place).map(({ typist }) => typist)
    let text = ''
    let from = 0
    for (const typist of here.sort((one, two) => one.at - two.at)) {
      text += seed.slice(from, typist.at) + typist.typed
      from = typist.at
    }
    return text + seed.slice(from)
  }

  /** What each side knew in the end of the first typist's keys. */
  state() {
    const { person } = this.typists[0]
    const reader = this.people.find(other => other.receiver.own < 0)
    return { sent: person.sentKeys, acked: person.settledKeys, seen: reader?.receiver.next[0] ?? 0 }
  }
}
