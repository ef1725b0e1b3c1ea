import { effect } from '@preact/signals'
import { ending } from './desk'
import { present } from './presence'

/** Coming back within this time is a reload or a blip, not news. */
const LEAVE_GRACE_MS = 45_000
/** In a fuller room the coming and going would talk without end. */
const MOST_ANNOUNCED = 8
/** What comes together is said in one sentence. */
const GATHER_MS = 1_000

const sentence = (names: readonly string[], verb: string): string =>
  names.length === 0 ? '' : `${new Intl.ListFormat('en').format(names)} ${verb}.`

/** Tells screen readers who joined and who left, once each and never more than once a second. */
export const announceJoins = (place: HTMLElement): void => {
  const here = new Map<string, string>()
  const leaving = new Map<string, ReturnType<typeof setTimeout>>()
  let joined: string[] = []
  let left: string[] = []
  let speaking = false
  let first = true

  const speak = (): void => {
    speaking = false
    if (here.size <= MOST_ANNOUNCED) {
      place.textContent = `${sentence(joined, 'joined')} ${sentence(left, 'left')}`.trim()
    }
    joined = []
    left = []
  }
  const soon = (): void => {
    if (speaking) return
    speaking = true
    setTimeout(speak, GATHER_MS)
  }
  const leave = (id: string, name: string): void => {
    leaving.delete(id)
    here.delete(id)
    left.push(name)
    soon()
  }
  const arrive = (id: string, name: string): void => {
    clearTimeout(leaving.get(id))
    leaving.delete(id)
    const known = here.has(id)
    here.set(id, name)
    if (known || first) return
    joined.push(name)
    soon()
  }

  effect(() => {
    const people = present.value.filter(person => !person.me)
    if (ending.value || present.value.length === 0) return
    for (const { id, name } of people) arrive(id, name)
    const ids = new Set(people.map(({ id }) => id))
    for (const [id, name] of here) {
      if (ids.has(id) || leaving.has(id)) continue
      leaving.set(
        id,
        setTimeout(() => leave(id, name), LEAVE_GRACE_MS),
      )
    }
    first = false
  })
}
