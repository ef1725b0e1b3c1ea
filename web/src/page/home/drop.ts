import { importFile } from './actions'

const carriesFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false

/** Lets a Markdown file be dropped anywhere on the home page; the page shows that it would take it. */
export const acceptDrops = (): void => {
  const mark = (on: boolean): void => {
    document.body.toggleAttribute('data-dropping', on)
  }
  addEventListener('dragover', event => {
    if (!carriesFile(event)) return
    event.preventDefault()
    mark(true)
  })
  addEventListener('dragleave', event => {
    // Only when the pointer left the window: inside it, leaving one element means entering another.
    if (event.relatedTarget === null) mark(false)
  })
  addEventListener('drop', event => {
    mark(false)
    const file = event.dataTransfer?.files[0]
    if (!file) return
    event.preventDefault()
    void importFile(file)
  })
}
