import { sanitise } from './sanitise'

/** Longer blocks stay plain: colouring would be felt while typing in them. */
const LONGEST_CHARACTERS = 20_000

let colourist: Promise<typeof import('./languages')> | null = null

const paint = async (code: HTMLElement, language: string): Promise<void> => {
  colourist ??= import('./languages')
  const { highlighted } = await colourist
  const html = highlighted(code.textContent ?? '', language)
  if (html !== null && code.isConnected) code.replaceChildren(sanitise(html))
}

/** Colours the code blocks in these elements; the colours come in a chunk of their own with the first such block. */
export const colour = (elements: readonly Element[]): void => {
  for (const element of elements) {
    for (const code of element.parentElement
      ? element.querySelectorAll<HTMLElement>('code[class*="language-"]')
      : []) {
      const language = /language-(\S+)/.exec(code.className)?.[1]
      if (!language || (code.textContent?.length ?? 0) > LONGEST_CHARACTERS) continue
      paint(code, language).catch((failed: unknown) => {
        colourist = null
        console.warn('Code stays plain.', failed)
      })
    }
  }
}
