import { initials } from '../page/initials'
import { inkOn } from '../page/palette'
import type { PresenceChange, Reader } from './feed'

const stateOf = (person: Reader): string => {
  if (person.state === 'idle') return 'idle'
  return person.line === null ? 'here' : `line ${person.line}`
}

const faceOf = (person: Reader): HTMLElement => {
  const face = document.createElement('span')
  face.className = 'avatar'
  face.dataset.initials = initials(person.name)
  face.style.background = person.color
  face.style.color = inkOn(person.color)
  return face
}

const itemOf = (person: Reader): HTMLLIElement => {
  const item = document.createElement('li')
  item.dataset.state = person.state
  item.title = `${person.name} — ${stateOf(person)}`
  const name = document.createElement('span')
  name.className = 'name'
  name.textContent = person.name
  item.append(faceOf(person), name)
  return item
}

/** The list of who is in the document right now. */
export class People {
  private readonly here = new Map<string, Reader>()

  constructor(private readonly list: HTMLElement) {}

  change({ people, joined, moved, left }: PresenceChange): void {
    if (people) {
      this.here.clear()
      for (const person of people) this.here.set(person.client, person)
    }
    for (const person of [joined, moved]) if (person) this.here.set(person.client, person)
    if (left) this.here.delete(left.client)
    this.draw()
  }

  /** A person with two windows is shown once. */
  private draw(): void {
    const once = new Map([...this.here.values()].map(person => [person.id, person]))
    this.list.replaceChildren(...[...once.values()].map(itemOf))
  }
}
