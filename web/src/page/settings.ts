import { signal } from '@preact/signals-core'

/** What a person chose for this browser. Storage may be refused (private windows): the choice then lasts for the page. */
export type Theme = 'system' | 'light' | 'dark'
export type View = 'edit' | 'split' | 'read'

const read = (key: string): string | null => {
  try {
    return localStorage.getItem(`coscribe.${key}`)
  } catch {
    return null
  }
}

const write = (key: string, value: string): void => {
  try {
    localStorage.setItem(`coscribe.${key}`, value)
  } catch {
    console.warn(`This browser does not keep the setting "${key}".`)
  }
}

const oneOf = <T extends string>(value: string | null, allowed: readonly T[], otherwise: T): T =>
  allowed.find(one => one === value) ?? otherwise

export const theme = signal<Theme>(oneOf(read('theme'), ['system', 'light', 'dark'], 'system'))
export const wide = signal(read('wide') === '1')
export const view = signal<View>(oneOf(read('view'), ['edit', 'split', 'read'], 'edit'))

/** The grounds of tokens.css, for the browser's own chrome. */
const ground = { light: '#fbfaf7', dark: '#161714' } as const

export const setTheme = (chosen: Theme): void => {
  theme.value = chosen
  write('theme', chosen)
  if (chosen === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = chosen
  for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name=theme-color]')) {
    const own = meta.media.includes('dark') ? 'dark' : 'light'
    meta.content = ground[chosen === 'system' ? own : chosen]
  }
}

export const setWide = (on: boolean): void => {
  wide.value = on
  write('wide', on ? '1' : '0')
  document.documentElement.toggleAttribute('data-wide', on)
}

export const setView = (chosen: View): void => {
  view.value = chosen
  write('view', chosen)
}
