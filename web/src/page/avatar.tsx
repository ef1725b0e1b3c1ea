import type { JSX } from 'preact'
import { initials } from './initials'
import { inkOn } from './palette'

/** Initials on a presence colour; whoever shows it gives the name beside it or as its label. */
export const Avatar = ({ name, hex }: { name: string; hex: string }): JSX.Element => (
  <span class="avatar" data-initials={initials(name)} style={{ background: hex, color: inkOn(hex) }} />
)
