import type { JSX } from 'preact'
import { Menu, MenuChoice } from './menu'
import { setTheme, type Theme, theme } from './settings'

const themes: readonly [Theme, string][] = [
  ['system', 'Theme of the system'],
  ['light', 'Light theme'],
  ['dark', 'Dark theme'],
]

/** The three themes as items of a menu. */
export const ThemeChoices = (): JSX.Element => (
  <>
    {themes.map(([name, words]) => (
      <MenuChoice key={name} kind="radio" checked={theme.value === name} onPick={() => setTheme(name)}>
        {words}
      </MenuChoice>
    ))}
  </>
)

/** A menu of its own, where there is no other. */
export const ThemeMenu = (): JSX.Element => (
  <Menu label="Theme" icon="theme">
    <ThemeChoices />
  </Menu>
)
