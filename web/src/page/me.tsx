import type { JSX } from 'preact'
import { Avatar } from './avatar'
import { lazily } from './lazy'
import { colourAt } from './palette'
import { me, meOpen } from './self'

/** Mounted once per page; opens when `meOpen` says so. */
export const MeDialog = lazily(
  () => meOpen.value,
  () => import('./me-sheet').then(part => part.OpenMeSheet),
  () => {
    meOpen.value = false
  },
)

/** One's own avatar as a button, for the home page. */
export const MeButton = (): JSX.Element | null => {
  const self = me.value
  if (!self) return null
  return (
    <button
      class="avatar-button"
      type="button"
      title="Change your name and colour"
      aria-label={`You are ${self.name}. Change your name and colour`}
      onClick={() => (meOpen.value = true)}
    >
      <Avatar name={self.name} hex={colourAt(self.colour).hex} />
      <span class="me-name">{self.name}</span>
    </button>
  )
}
