// The echo service of the js-libp2p peers, in Node and in pages.

export const ECHO = "/mooring/echo/1.0.0";

/** Gives back what comes, and ends when the other side does. */
export async function echo(stream) {
  try {
    for await (const chunk of stream) {
      if (!stream.send(chunk)) await stream.onDrain();
    }
    await stream.close();
  } catch (error) {
    stream.abort(error);
  }
}
