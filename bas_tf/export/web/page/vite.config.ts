import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vite";

const RUNTIME = "node_modules/@litertjs/core/wasm";
// The page needs no JavaScript promise integration: it asks neither WebGPU nor WebNN.
const UNUSED = /jspi|\.d\.m?ts$/;

// LiteRT.js 2.5.3 refuses files with a bool tensor, as `degenerate` is: its table of
// types ends with uint8. A bool is a byte, 0 or 1.
const LAST_TYPE = "elementType: ElementType.UINT8\n  }";
const BOOL =
  '{ dtype: "bool", typedArrayConstructor: Uint8Array, elementType: ElementType.BOOL }';

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
      name: "copy-litert-runtime",
      writeBundle({ dir }) {
        for (const name of readdirSync(RUNTIME)) {
          if (!UNUSED.test(name)) cpSync(join(RUNTIME, name), join(dir!, "wasm", name));
        }
      },
    },
  ],
});
