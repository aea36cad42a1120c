/**
 * Loads the node's wasm so that nothing enters it any more once it has trapped: between the trap and the end of the document,
 * timers, connections and promises still call, and what they would find is a memory that was left in the middle of something.
 */
import init from "host-wasm";

type Instantiated = Promise<WebAssembly.WebAssemblyInstantiatedSource>;

/** An error after which the instance cannot be trusted: a trap, or a stack that ran out in the middle of it. */
export function isTrap(error: unknown): boolean {
  return (
    error instanceof WebAssembly.RuntimeError ||
    error instanceof RangeError ||
    (error instanceof Error && error.name === "InternalError")
  );
}

/** Loads it. The glue takes its exports from what the browser's own functions give, so these are stood in for while it loads. */
export async function initSealed(): Promise<void> {
  const { instantiate, instantiateStreaming } = WebAssembly;
  const sealing =
    <S>(load: (source: S, imports?: WebAssembly.Imports) => Instantiated) =>
    async (source: S, imports?: WebAssembly.Imports): Instantiated => {
      const { module, instance } = await load(source, imports);
      return { module, instance: { exports: sealed(instance.exports) } };
    };
  WebAssembly.instantiateStreaming = sealing(instantiateStreaming);
  // The glue's second choice, with the bytes of the module.
  WebAssembly.instantiate = sealing<BufferSource>(instantiate) as typeof instantiate;
  try {
    await init();
  } finally {
    WebAssembly.instantiateStreaming = instantiateStreaming;
    WebAssembly.instantiate = instantiate;
  }
}

function sealed(exports: WebAssembly.Exports): WebAssembly.Exports {
  let broken = false;
  const guard =
    (entry: (...given: unknown[]) => unknown) =>
    (...given: unknown[]): unknown => {
      if (broken) throw new Error("the node crashed and is not entered again");
      try {
        return entry(...given);
      } catch (error) {
        broken ||= isTrap(error);
        throw error;
      }
    };
  const entries = Object.entries(exports).map(([name, value]) => [
    name,
    typeof value === "function" ? guard(value as (...given: unknown[]) => unknown) : value,
  ]);
  return Object.fromEntries(entries) as WebAssembly.Exports;
}
