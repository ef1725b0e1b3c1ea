import { effect } from '@preact/signals'
import { ending, session } from './desk'
import { present } from './presence'

/** Coming back within this time is a reload or a blip, not news. */
const LEAVE_GRACE_MS = 45_000
/** In a fuller room the coming and going would talk without end. */
const MOST_ANNOUNCED = 8
/** What comes together is said in one sentence. */
const GATHER_MS = 1_000

const sentence = (names: readonly string[], verb: string): string =>
  names.length === 0 ? '' : `${new Intl.ListFormat('en').format(names)} ${verb}.`

/** Who is here as it was told, and what is still to be told. */
class Herald {
  private readonly here = new Map<string, string>()
  private readonly leaving = new Map<string, ReturnType<typeof setTimeout>>()
  private joined: string[] = []
  private left: string[] = []
  private isSpeaking = false
  /** Whoever was here before us is no news. */
  private isFirst = true

  constructor(private readonly place: HTMLElement) {}

  see(people: readonly { id: string; name: string }[]): void {
    for (const { id, name } of people) this.arrive(id, name)
    const ids = new Set(people.map(({ id }) => id))
    for (const id of this.here.keys()) {
      if (ids.has(id) || this.leaving.has(id)) continue
      this.leaving.set(
        id,
        setTimeout(() => this.leave(id), LEAVE_GRACE_MS),
      )
    }
    this.isFirst = false
  }

  private arrive(id: string, name: string): void {
    clearTimeout(this.leaving.get(id))
    this.leaving.delete(id)
    const isKnown = this.here.has(id)
    this.here.set(id, name)
    if (isKnown || this.isFirst) return
    this.joined.push(name)
    this.soon()
  }

  private leave(id: string): void {
    this.leaving.delete(id)
    this.left.push(this.here.get(id) ?? '')
    this.here.delete(id)
    this.soon()
  }

  private soon(): void {
    if (this.isSpeaking) return
    this.isSpeaking = true
    setTimeout(() => this.speak(), GATHER_MS)
  }

  private speak(): void {
    this.isSpeaking = false
    if (this.here.size <= MOST_ANNOUNCED) {
      this.place.textContent = `${sentence(this.joined, 'joined')} ${sentence(this.left, 'left')}`.trim()
    }
    this.joined = []
    this.left = []
  }
}

/** Tells screen readers who joined and who left, once each and never more than once a second. */
export const announceJoins = (place: HTMLElement): void => {
  const herald = new Herald(place)
  effect(() => {
    // Before the server let us in we are alone here, whoever is in the document.
    if (ending.value || !session.value?.connection.value.served) return
    herald.see(present.value.filter(person => !person.me))
  })
}
