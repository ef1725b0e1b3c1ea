// What Yjs says to the console, without the coloured logger that it brings along: 5 KB gzip of styles and schemas.

export const ORANGE = ''
export const RED = ''
export const BOLD = ''
export const UNBOLD = ''

export const warn = (...words: unknown[]): void => console.warn(...words)
export const print = (...words: unknown[]): void => warn(...words.filter(word => word !== ''))
