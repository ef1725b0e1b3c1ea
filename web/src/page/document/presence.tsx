import { computed, signal } from '@preact/signals'
import type { JSX } from 'preact'
import type { Person } from '../../sync/types'
import { Avatar } from '../avatar'
import { Menu } from '../menu'
import { meOpen } from '../self'
import { setView, view } from '../settings'
import { say } from '../toasts'
import { editor, ending, session } from './desk'

/** Five faces on a wide bar; a phone's has room for one button, a face or how many there are. */
const MOST_FACES = 5
const phone = matchMedia('(max-width: 640px)')
const narrow = signal(phone.matches)
phone.addEventListener('change', () => {
  narrow.value = phone.matches
})

/** Once each, me first; of several windows of one person the one that is being used. */
export const present = computed<readonly Person[]>(() => {
  const byId = new Map<string, Person>()
  for (const person of session.value?.people.value ?? []) {
    const known = byId.get(person.id)
    const better = person.me || (!known?.me && person.state === 'active')
    if (!known || better) byId.set(person.id, person)
  }
  return [...byId.values()].sort((a, b) => Number(b.me) - Number(a.me))
})

const nameOf = (person: Person): string => (person.me ? `${person.name} (you)` : person.name)

const stateOf = (person: Person): string =>
  person.state === 'idle' ? 'idle' : person.line === null ? 'here' : `line ${person.line}`

const goTo = (person: Person): void => {
  if (person.me) {
    meOpen.value = true
    return
  }
  if (view.value === 'read') setView('edit')
  if (!editor.value?.goTo(person.clientId)) say(`${person.name} has no place in the text right now`)
}

const Face = ({ person }: { person: Person }): JSX.Element => (
  <button
    class="face-button"
    type="button"
    data-state={person.state}
    title={`${nameOf(person)} — ${stateOf(person)}`}
    aria-label={
      person.me
        ? `${nameOf(person)}: change your name and colour`
        : `Go to ${person.name}, ${stateOf(person)}`
    }
    onClick={() => goTo(person)}
  >
    <Avatar name={person.name} hex={person.color} />
  </button>
)

const Line = ({ person }: { person: Person }): JSX.Element => (
  <button class="menu-item" type="button" role="menuitem" tabIndex={-1} onClick={() => goTo(person)}>
    <Avatar name={person.name} hex={person.color} />
    {nameOf(person)}
    <kbd>{stateOf(person)}</kbd>
  </button>
)

/** Who is here. */
export const Presence = (): JSX.Element | null => {
  const people = ending.value ? [] : present.value
  if (people.length === 0) return null
  const counted = narrow.value && people.length > 1
  const faces = counted ? [] : people.slice(0, MOST_FACES)
  const rest = people.length - faces.length
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for form fields
    <div class="presence" role="group" aria-label="People here">
      {faces.map(person => (
        <Face key={person.id} person={person} />
      ))}
      {rest > 0 && (
        <Menu
          label={`Everyone here: ${people.length}`}
          icon="account"
          face={counted ? `${rest}` : `+${rest}`}
        >
          {people.map(person => (
            <Line key={person.id} person={person} />
          ))}
        </Menu>
      )}
    </div>
  )
}
