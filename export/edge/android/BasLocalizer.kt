// What a picture shows and where, by a .tflite file of `python -m export.tflite`.
// Copy this file into an Android app; README.md next to it has the Gradle lines.
package bas_tf.edge

import android.graphics.Bitmap
import java.io.ByteArrayInputStream
import java.io.Closeable
import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.ZipInputStream
import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min
import kotlin.math.roundToInt
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.Tensor

/** A class name and its softmax, in 0..1. */
data class Score(val className: String, val score: Float)

/** Half-open, in pixels of the bitmap as it was given. */
data class Box(val x0: Float, val y0: Float, val x1: Float, val y1: Float)

/**
 * What the network found in one bitmap.
 *
 * @property top the best five classes (or all, if fewer), best first.
 * @property degenerate the map says nothing (it is constant); the box is the whole bitmap.
 * @property map row after row, values in 0..1; covers the whole bitmap.
 */
class Localization(
    val top: List<Score>,
    val box: Box,
    val degenerate: Boolean,
    val map: FloatArray,
    val mapWidth: Int,
    val mapHeight: Int,
)

/**
 * An exported localizer. Not thread-safe: call it from one thread at a time.
 *
 * A model that lies in the app's assets is copied to `filesDir` once.
 *
 * @throws IllegalArgumentException the file is none that this class reads; it is named.
 * @throws IOException the file cannot be read.
 */
class BasLocalizer(model: File, numThreads: Int = 2) : Closeable {
    /** Class names in the order of class ids. */
    val labels: List<String>
    private val interpreter: Interpreter
    private val input: Tensor
    private val height: Int
    private val width: Int

    init {
        val archive = readAppendedArchive(model)
        val settings = archive["bas_tf.json"]?.toString(Charsets.UTF_8) ?: ""
        require("\"$FORMAT\"" in settings) { "$model: no localizer of format '$FORMAT'; $AGAIN" }
        labels = linesOf(archive["labels.txt"]) ?: throw IllegalArgumentException(
            "$model: no class names at its end; $AGAIN"
        )
        interpreter = try {
            Interpreter(model, Interpreter.Options().setNumThreads(numThreads))
        } catch (error: IllegalArgumentException) {
            throw IllegalArgumentException("$model: no network that LiteRT reads; $AGAIN", error)
        }
        val isFull = interpreter.getSignatureInputs(SIGNATURE).toList() == listOf("images") &&
            interpreter.getSignatureOutputs(SIGNATURE).toList().containsAll(OUTPUTS)
        if (!isFull) {
            interpreter.close()
            throw IllegalArgumentException("$model: not the full network, from images to $OUTPUTS; $AGAIN")
        }
        input = interpreter.getInputTensorFromSignature("images", SIGNATURE)
        height = input.shape()[1]
        width = input.shape()[2]
    }

    /** Names and boxes the object of a bitmap of any size. */
    fun localize(bitmap: Bitmap): Localization {
        val pixels = IntArray(bitmap.width * bitmap.height)
        bitmap.getPixels(pixels, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
        val rgb = resizedRgb(pixels, bitmap.width, bitmap.height, width, height)
        val buffers = OUTPUTS.associateWith { bufferFor(outputTensor(it)) }
        interpreter.runSignature(mapOf("images" to quantized(rgb)), buffers, SIGNATURE)
        val found = OUTPUTS.associateWith { valuesOf(outputTensor(it), buffers.getValue(it)) }
        val scores = found.getValue("scores")
        val ids = found.getValue("class_ids")
        val box = found.getValue("boxes")
        val scaleX = bitmap.width.toFloat() / width
        val scaleY = bitmap.height.toFloat() / height
        val mapShape = outputTensor("localization_map").shape()
        return Localization(
            top = ids.indices.map { Score(labels[ids[it].toInt()], scores[it]) },
            box = Box(
                (box[0] * scaleX).coerceIn(0f, bitmap.width.toFloat()),
                (box[1] * scaleY).coerceIn(0f, bitmap.height.toFloat()),
                (box[2] * scaleX).coerceIn(0f, bitmap.width.toFloat()),
                (box[3] * scaleY).coerceIn(0f, bitmap.height.toFloat()),
            ),
            degenerate = found.getValue("degenerate")[0] != 0f,
            map = found.getValue("localization_map"),
            mapWidth = mapShape[2],
            mapHeight = mapShape[1],
        )
    }

    override fun close() = interpreter.close()

    private fun outputTensor(name: String): Tensor =
        interpreter.getOutputTensorFromSignature(name, SIGNATURE)

    private fun bufferFor(tensor: Tensor): ByteBuffer =
        ByteBuffer.allocateDirect(tensor.numBytes()).order(ByteOrder.nativeOrder())

    /** 0..255 as the input tensor wants them; plain int8 is the pixel less 128. */
    private fun quantized(rgb: FloatArray): ByteBuffer {
        val buffer = bufferFor(input)
        val scale = input.quantizationParams().scale
        val zeroPoint = input.quantizationParams().zeroPoint
        val type = input.dataType()
        for (value in rgb) {
            when {
                type == DataType.FLOAT32 -> buffer.putFloat(value)
                scale == 0f && type == DataType.INT8 -> buffer.put((value.toInt() - 128).toByte())
                scale == 0f -> buffer.put(value.toInt().toByte())
                else -> {
                    val lowest = if (type == DataType.INT8) -128 else 0
                    val level = (value / scale).roundToInt() + zeroPoint
                    buffer.put(level.coerceIn(lowest, lowest + 255).toByte())
                }
            }
        }
        buffer.rewind()
        return buffer
    }

    /** The numbers that an output's bytes stand for. */
    private fun valuesOf(tensor: Tensor, buffer: ByteBuffer): FloatArray {
        buffer.rewind()
        val scale = tensor.quantizationParams().scale
        val zeroPoint = tensor.quantizationParams().zeroPoint
        return FloatArray(tensor.numElements()) {
            val value = when (tensor.dataType()) {
                DataType.FLOAT32 -> return@FloatArray buffer.getFloat()
                DataType.INT32 -> buffer.getInt()
                DataType.UINT8 -> buffer.get().toInt() and 255
                else -> buffer.get().toInt() // INT8, BOOL
            }
            if (scale == 0f) value.toFloat() else scale * (value - zeroPoint)
        }
    }

    private companion object {
        const val FORMAT = "bas_tf localizer 1"
        const val SIGNATURE = "serving_default"
        const val AGAIN = "export it again with `python -m export.tflite`"
        val OUTPUTS = listOf("class_ids", "scores", "boxes", "degenerate", "localization_map")
    }
}

private fun linesOf(content: ByteArray?): List<String>? =
    content?.toString(Charsets.UTF_8)?.removeSuffix("\n")?.split('\n')

/**
 * The files of the zip archive at the end of a file; empty when there is none.
 *
 * `java.util.zip.ZipFile` of some Android versions takes only files that begin with an
 * archive, so the beginning is looked up in its directory here and read as a stream.
 */
internal fun readAppendedArchive(file: File): Map<String, ByteArray> {
    val bytes = file.readBytes()
    val little = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)
    val last = bytes.size - 22 // where the end record without a comment begins
    val end = (last downTo max(0, last - 65535)).firstOrNull { little.getInt(it) == 0x06054b50 }
        ?: return emptyMap()
    val directory = little.getInt(end + 16)
    if (directory !in 0..end - 46) return emptyMap()
    val start = little.getInt(directory + 42) // of the first file
    if (start !in 0..directory) return emptyMap()
    val found = mutableMapOf<String, ByteArray>()
    ZipInputStream(ByteArrayInputStream(bytes, start, end - start)).use { zip ->
        while (true) {
            val entry = zip.nextEntry ?: break
            found[entry.name] = zip.readBytes()
        }
    }
    return found
}

/**
 * Antialiased bilinear resize of the whole picture, aspect not kept, as in training.
 *
 * `Bitmap.createScaledBitmap` does not antialias: small objects would flicker.
 *
 * @param pixels ARGB, row after row; alpha is ignored.
 * @return red, green, blue of each pixel, row after row, whole numbers in 0..255.
 */
internal fun resizedRgb(
    pixels: IntArray,
    fromWidth: Int,
    fromHeight: Int,
    width: Int,
    height: Int,
): FloatArray {
    val columns = triangles(fromWidth, width)
    val rows = triangles(fromHeight, height)
    val narrow = FloatArray(fromHeight * width * 3)
    for (y in 0 until fromHeight) for (x in 0 until width) for (channel in 0..2) {
        val shift = 16 - 8 * channel
        val at = y * fromWidth + columns[x].first
        var sum = 0.0
        columns[x].weights.forEachIndexed { i, weight ->
            sum += weight * ((pixels[at + i] shr shift) and 255)
        }
        narrow[(y * width + x) * 3 + channel] = sum.roundToInt().toFloat()
    }
    val stride = width * 3
    return FloatArray(height * stride) {
        val row = rows[it / stride]
        var sum = 0.0
        row.weights.forEachIndexed { i, weight ->
            sum += weight * narrow[(row.first + i) * stride + it % stride]
        }
        sum.roundToInt().toFloat()
    }
}

/** The source pixels from `first` on that make one pixel of the result; they add to 1. */
private class Triangle(val first: Int, val weights: DoubleArray)

private fun triangles(from: Int, to: Int): List<Triangle> {
    val scale = from.toDouble() / to
    val support = max(scale, 1.0)
    return List(to) { i ->
        val centre = (i + 0.5) * scale
        val first = max(0, (centre - support + 0.5).toInt())
        val end = min(from, (centre + support + 0.5).toInt())
        val weights = DoubleArray(end - first) {
            max(0.0, 1 - abs(first + it + 0.5 - centre) / support)
        }
        val sum = weights.sum()
        Triangle(first, DoubleArray(weights.size) { weights[it] / sum })
    }
}
