import { say } from './toasts'

const fileName = (name: string): string =>
  `${
    name
      .replace(/[\\/:*?"<>|\p{Cc}\s]+/gu, ' ')
      .trim()
      .slice(0, 100) || 'Untitled'
  }.md`

/** Hands a text to the browser as a Markdown file. */
export const download = (text: string, title: string): void => {
  const address = URL.createObjectURL(new Blob([text], { type: 'text/markdown;charset=utf-8' }))
  const anchor = document.createElement('a')
  anchor.href = address
  anchor.download = fileName(title)
  anchor.click()
  // The download has begun by then; a minute is far more than the browser needs to read the blob.
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}

/** Copies and says so; pages without a secure origin have no clipboard, then the text can only be shown. */
export const copy = async (text: string, done: string): Promise<void> => {
  try {
    await navigator.clipboard.writeText(text)
    say(done)
  } catch {
    say(
      text.length < 300
        ? `Copy this by hand: ${text}`
        : 'This browser does not let the page copy. Download the text instead.',
    )
  }
}
