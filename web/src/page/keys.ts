const mac = /Mac|iPhone|iPad/.test(navigator.userAgent)

/** `Mod+Shift+B` as this platform writes it: `⌘⇧B` or `Ctrl+Shift+B`. */
export const keyName = (keys: string): string =>
  mac
    ? keys.replace('Mod', '⌘').replace('Shift', '⇧').replace('Alt', '⌥').replaceAll('+', '')
    : keys.replace('Mod', 'Ctrl')

/** Whether the platform's command key is down, alone. */
export const modOnly = (event: KeyboardEvent): boolean =>
  (mac ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey) &&
  !event.altKey &&
  !event.shiftKey
