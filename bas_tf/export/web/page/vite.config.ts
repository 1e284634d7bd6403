import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { defineConfig } from "vite";

const RUNTIME = "node_modules/@litertjs/core/wasm";
// Those that src/localizer.ts chooses from.
const USED = /_(threaded|compat)_internal\.(js|wasm)$/;
// The highest, 11, takes eight times as long for an eighth less.
const BROTLI = {
  params: {
    [constants.BROTLI_PARAM_QUALITY]: 9,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
  },
};

// LiteRT.js 2.5.3 refuses files with a bool tensor, as `degenerate` is: its table of
// types ends with uint8. A bool is a byte, 0 or 1.
const LAST_TYPE = "elementType: ElementType.UINT8\n  }";
const BOOL =
  '{ dtype: "bool", typedArrayConstructor: Uint8Array, elementType: ElementType.BOOL }';

// LiteRT.js's build with threads starts as many workers as there are cores. Four are
// enough for networks as small as ours.
const CORES = "navigator.hardwareConcurrency";

export default defineConfig({
  base: "./", // the site may lie in any folder of a server
  build: { target: "es2022" },
  plugins: [
    {
      name: "litert-bool",
      transform(code, id) {
        if (!id.includes("@litertjs/core/")) return;
        if (!code.includes(LAST_TYPE)) this.error(`${id}: no table of types to extend`);
        return { code: code.replace(LAST_TYPE, `${LAST_TYPE}, ${BOOL}`), map: null };
      },
    },
    {
      name: "copy-litert-runtime-and-compress",
      writeBundle({ dir }) {
        for (const name of readdirSync(RUNTIME)) {
          if (USED.test(name)) cpSync(join(RUNTIME, name), join(dir!, "wasm", name));
        }
        const threaded = join(dir!, "wasm", "litert_wasm_threaded_internal.js");
        const code = readFileSync(threaded, "utf8");
        if (!code.includes(CORES)) this.error(`${threaded}: no ${CORES} to limit`);
        writeFileSync(threaded, code.replaceAll(CORES, `Math.min(4, ${CORES})`));
        for (const name of readdirSync(dir!, { recursive: true, encoding: "utf8" })) {
          if (!/\.(js|css|wasm)$/.test(name)) continue;
          const path = join(dir!, name);
          writeFileSync(`${path}.br`, brotliCompressSync(readFileSync(path), BROTLI));
        }
      },
    },
  ],
});
