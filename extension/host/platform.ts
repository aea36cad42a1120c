/** What the node host needs of the browser beyond what a document has. The Rust side names the same interface. */
export interface Platform {
  readonly extensionOrigin: string;
  readonly product: string;
  readonly version: string;
  readonly browser: "chrome" | "firefox";
  /** Outlives the browser; no content script can read it. Values are what JSON can hold. */
  readonly storage: Store;
  /** Ends with the browser. */
  readonly session: Store;
  /** Opens the window that asks the user; rejects when there can be no window. */
  openPrompt(id: string): Promise<void>;
  /** Closes it, if it is still open. */
  closePrompt(id: string): Promise<void>;
  setBadge(state: string, connections: number): void;
}

export interface Store {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown): Promise<void>;
  remove(key: string): Promise<void>;
}
