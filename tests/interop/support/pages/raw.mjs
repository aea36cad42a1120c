// Data channels with nothing on top, to the raw servers (`peer raw` in tests/interop/go, bench/server): what libp2p's
// streams are held against. The messages and the queue are as large as our transport's.
const MESSAGE = 16 * 1024;
const HIGH_WATER = 256 * 1024;
const LOW_WATER = 128 * 1024;

/** @param {(bytes: number) => Iterable<Uint8Array>} pattern what is sent in bulk */
export function create(pattern) {
  let connection;
  const held = [];

  return {
    async dial(url) {
      connection = new RTCPeerConnection();
      // Both sides have it without a word, as Noise's in libp2p; our stack takes nothing else on that id.
      const first = opened(connection.createDataChannel("", { negotiated: true, id: 0 }));
      await connection.setLocalDescription(await connection.createOffer());
      // The candidates are not waited for: the server answers whoever asks with the right credentials.
      const answer = await fetch(url, { method: "POST", body: connection.localDescription.sdp });
      const sdp = await answer.text();
      if (!answer.ok) throw new Error(`${url}: ${sdp}`);
      await connection.setRemoteDescription({ type: "answer", sdp });
      await first;
      return url;
    },
    hangUp() {
      connection.close();
    },
    async roundTrips(count, pause) {
      const pinger = await openPinger(connection);
      const times = [];
      for (let i = 0; i < count; i += 1) {
        times.push(await pinger.roundTrip());
        await wait(pause);
      }
      pinger.close();
      return times;
    },
    async roundTripsDuring(order, pause) {
      const pinger = await openPinger(connection);
      let over = false;
      const transfer = this.bulk(order).finally(() => (over = true));
      const times = [];
      while (!over) {
        times.push(await pinger.roundTrip());
        await wait(pause);
      }
      await transfer;
      pinger.close();
      return times;
    },
    async bulk({ up = 0, down = 0, rateUp = 0 }) {
      const received = new Uint8Array(32 + down);
      const begun = performance.now();
      const channel = await opened(connection.createDataChannel("bulk"));
      const reading = new Promise((done, failed) => {
        let length = 0;
        channel.onmessage = ({ data }) => {
          received.set(new Uint8Array(data), length);
          length += data.byteLength;
          if (length === received.length) done(performance.now());
        };
        channel.onclose = () => failed(new Error(`${length} of ${received.length} bytes came`));
      });
      const header = new DataView(new ArrayBuffer(24));
      [up, down, rateUp].forEach((number, index) => header.setBigUint64(8 * index, BigInt(number)));
      channel.send(header.buffer);
      const sending = send(channel, pattern(up));
      const end = await Promise.race([reading, sending.then(() => reading)]);
      channel.onclose = null;
      channel.close();
      return {
        milliseconds: end - begun,
        sha256Up: hex(received.subarray(0, 32)),
        sha256Down: hex(new Uint8Array(await crypto.subtle.digest("SHA-256", received.subarray(32)))),
        end: "",
      };
    },
    async shortStreams(count, atOnce, bytes) {
      const report = { asked: count, intact: 0, milliseconds: 0, errors: [] };
      const begun = performance.now();
      let next = 0;
      const worker = async () => {
        while (next < count) {
          const index = next++;
          try {
            await echo(await opened(connection.createDataChannel("echo")), bytes);
            report.intact += 1;
          } catch (error) {
            report.errors.push(`channel ${index}: ${error?.message ?? error}`);
          }
        }
      };
      await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker));
      report.milliseconds = performance.now() - begun;
      return report;
    },
    async hold(count) {
      for (let i = 0; i < count; i += 1) held.push(await openPinger(connection));
    },
    release() {
      for (const pinger of held.splice(0)) pinger.close();
    },
  };
}

function opened(channel) {
  channel.binaryType = "arraybuffer";
  channel.bufferedAmountLowThreshold = LOW_WATER;
  return new Promise((done, failed) => {
    channel.onopen = () => done(channel);
    channel.onclose = () => failed(new Error("closed before it was open"));
  });
}

async function send(channel, blocks) {
  for (const block of blocks) {
    for (let at = 0; at < block.length; at += MESSAGE) {
      if (channel.bufferedAmount > HIGH_WATER) {
        await new Promise((done) => channel.addEventListener("bufferedamountlow", done, { once: true }));
      }
      channel.send(block.subarray(at, at + MESSAGE));
    }
  }
}

async function openPinger(connection) {
  const channel = await opened(connection.createDataChannel("echo"));
  const roundTrip = () =>
    new Promise((done, failed) => {
      const begun = performance.now();
      channel.onmessage = () => done(performance.now() - begun);
      channel.onclose = () => failed(new Error("the channel closed"));
      channel.send(Uint8Array.of(7));
    });
  await roundTrip();
  return { roundTrip, close: () => channel.close() };
}

function echo(channel, bytes) {
  const payload = crypto.getRandomValues(new Uint8Array(bytes));
  return new Promise((done, failed) => {
    let length = 0;
    channel.onmessage = ({ data }) => {
      for (const byte of new Uint8Array(data)) if (byte !== payload[length++]) failed(new Error("other bytes came back"));
      if (length < bytes) return;
      channel.close();
      done();
    };
    channel.onclose = () => failed(new Error(`${length} of ${bytes} bytes came back`));
    channel.send(payload);
  });
}

const wait = (milliseconds) => milliseconds > 0 && new Promise((done) => setTimeout(done, milliseconds));

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
