import { signal } from '@preact/signals-core'
import { api, type Me } from '../api'

/** Who this browser is. Null until the server said so. */
export const me = signal<Me | null>(null)

/** Whether the sheet with name and colour is open. */
export const meOpen = signal(false)

export const loadMe = async (): Promise<void> => {
  me.value = await api.me()
}
