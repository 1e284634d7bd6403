// What a picture shows and where, by a .tflite file of `python -m export.tflite`.
// Copy this file into an iOS app; README.md next to it has the pod.
import CoreGraphics
import Foundation
import TensorFlowLite

/// What the network found in one picture.
public struct Localization {
  /// Class names and their softmax, the best five (or all, if fewer), best first.
  public let top: [(className: String, score: Float)]
  /// In pixels of the picture as it was given, from its upper left corner.
  public let box: CGRect
  /// The map says nothing (it is constant); the box is the whole picture.
  public let degenerate: Bool
  /// Row after row, values in 0...1; covers the whole picture.
  public let map: [Float]
  public let mapWidth: Int
  public let mapHeight: Int
}

/// A file or a picture that cannot be used; the description names it.
public struct BasLocalizerError: LocalizedError {
  public let errorDescription: String?
}

/// An exported localizer. Not thread-safe: call it from one thread at a time.
public final class BasLocalizer {
  /// Class names in the order of class ids.
  public let labels: [String]
  private let runner: SignatureRunner
  private let inputType: Tensor.DataType
  private let inputQuantization: QuantizationParameters?
  private let width: Int
  private let height: Int

  private static let outputs = [
    "class_ids", "scores", "boxes", "degenerate", "localization_map",
  ]
  private static let format = "bas_tf localizer 1"
  private static let again = "export it again with `python -m export.tflite`"

  /// Reads a file such as `Bundle.main.path(forResource: "localizer_int8", ofType: "tflite")`.
  public init(modelPath: String, threadCount: Int = 2) throws {
    let archive = appendedArchive(of: try Data(contentsOf: URL(fileURLWithPath: modelPath)))
    let settings = archive["bas_tf.json"].flatMap {
      (try? JSONSerialization.jsonObject(with: $0)) as? [String: Any]
    }
    guard settings?["format"] as? String == BasLocalizer.format,
      let names = archive["labels.txt"].flatMap({ String(data: $0, encoding: .utf8) })
    else {
      throw BasLocalizerError(
        errorDescription: "\(modelPath): no localizer of format "
          + "'\(BasLocalizer.format)'; \(BasLocalizer.again)")
    }
    labels = names.split(separator: "\n").map(String.init)
    var options = Interpreter.Options()
    options.threadCount = threadCount
    let interpreter = try Interpreter(modelPath: modelPath, options: options)
    runner = try interpreter.signatureRunner(with: "serving_default")
    guard runner.inputs == ["images"], Set(BasLocalizer.outputs).isSubset(of: runner.outputs)
    else {
      throw BasLocalizerError(
        errorDescription: "\(modelPath): not the full network, from images to "
          + "\(BasLocalizer.outputs); \(BasLocalizer.again)")
    }
    let input = try runner.input(named: "images")
    inputType = input.dataType
    inputQuantization = input.quantizationParameters
    height = input.shape.dimensions[1]
    width = input.shape.dimensions[2]
  }

  /// Names and boxes the object of a picture of any size.
  ///
  /// The picture is taken as it lies: turn a `UIImage` upright before you take its
  /// `cgImage`.
  public func localize(_ picture: CGImage) throws -> Localization {
    let pixels = try rgba(of: picture)
    let rgb = resizedRgb(
      pixels, fromWidth: picture.width, fromHeight: picture.height,
      width: width, height: height)
    try runner.invoke(with: ["images": quantized(rgb)])
    let ids = try values(of: "class_ids")
    let scores = try values(of: "scores")
    let box = try values(of: "boxes")
    let mapShape = try runner.output(named: "localization_map").shape.dimensions
    let x = [box[0], box[2]].map { scaled($0, by: picture.width, over: width) }
    let y = [box[1], box[3]].map { scaled($0, by: picture.height, over: height) }
    return Localization(
      top: zip(ids, scores).map { (className: labels[Int($0)], score: $1) },
      box: CGRect(x: x[0], y: y[0], width: x[1] - x[0], height: y[1] - y[0]),
      degenerate: try values(of: "degenerate")[0] != 0,
      map: try values(of: "localization_map"),
      mapWidth: mapShape[2],
      mapHeight: mapShape[1])
  }

  /// 0...255 as the input tensor wants them. TensorFlowLiteSwift knows no int8 tensors:
  /// export with uint8 or float32 images.
  private func quantized(_ rgb: [Float]) -> Data {
    if inputType == .float32 {
      return rgb.withUnsafeBytes { Data($0) }
    }
    guard let quantization = inputQuantization else {
      return Data(rgb.map { UInt8($0) })
    }
    return Data(
      rgb.map { value in
        let level = (value / quantization.scale).rounded() + Float(quantization.zeroPoint)
        return UInt8(min(max(level, 0), 255))
      })
  }

  /// The numbers that an output's bytes stand for.
  private func values(of name: String) throws -> [Float] {
    let tensor = try runner.output(named: name)
    let stored: [Float]
    switch tensor.dataType {
    case .float32:
      return numbers(in: tensor.data, as: Float.self)
    case .int32:
      stored = numbers(in: tensor.data, as: Int32.self).map { Float($0) }
    case .bool, .uInt8:
      stored = tensor.data.map { Float($0) }
    default:
      throw BasLocalizerError(
        errorDescription: "output \(name): type \(tensor.dataType) is not read here")
    }
    guard let quantization = tensor.quantizationParameters else { return stored }
    return stored.map { quantization.scale * ($0 - Float(quantization.zeroPoint)) }
  }
}

/// An edge in pixels of the picture, inside it.
private func scaled(_ edge: Float, by pictureSize: Int, over networkSize: Int) -> Double {
  let place = Double(edge) * Double(pictureSize) / Double(networkSize)
  return min(max(place, 0), Double(pictureSize))
}

private func numbers<Number>(in data: Data, as type: Number.Type) -> [Number] {
  return data.withUnsafeBytes { Array($0.bindMemory(to: Number.self)) }
}

/// sRGB bytes, four a pixel, row after row; what is transparent lies on white.
private func rgba(of picture: CGImage) throws -> [UInt8] {
  var pixels = [UInt8](repeating: 255, count: picture.width * picture.height * 4)
  let drawn = pixels.withUnsafeMutableBytes { buffer -> Bool in
    guard let space = CGColorSpace(name: CGColorSpace.sRGB),
      let context = CGContext(
        data: buffer.baseAddress, width: picture.width, height: picture.height,
        bitsPerComponent: 8, bytesPerRow: picture.width * 4, space: space,
        bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
    else { return false }
    context.draw(
      picture, in: CGRect(x: 0, y: 0, width: picture.width, height: picture.height))
    return true
  }
  guard drawn else {
    throw BasLocalizerError(
      errorDescription: "a picture of \(picture.width) x \(picture.height) pixels that "
        + "Core Graphics cannot draw")
  }
  return pixels
}

/// Antialiased bilinear resize of the whole picture, aspect not kept, as in training.
///
/// - Returns: red, green, blue of each pixel, whole numbers in 0...255.
func resizedRgb(
  _ pixels: [UInt8], fromWidth: Int, fromHeight: Int, width: Int, height: Int
) -> [Float] {
  let columns = triangles(from: fromWidth, to: width)
  let rows = triangles(from: fromHeight, to: height)
  var narrow = [Double](repeating: 0, count: fromHeight * width * 3)
  for y in 0..<fromHeight {
    for x in 0..<width {
      for channel in 0..<3 {
        var sum = 0.0
        for (i, weight) in columns[x].weights.enumerated() {
          sum += weight * Double(pixels[(y * fromWidth + columns[x].first + i) * 4 + channel])
        }
        narrow[(y * width + x) * 3 + channel] = sum.rounded()
      }
    }
  }
  let stride = width * 3
  var resized = [Float](repeating: 0, count: height * stride)
  for y in 0..<height {
    for at in 0..<stride {
      var sum = 0.0
      for (i, weight) in rows[y].weights.enumerated() {
        sum += weight * narrow[(rows[y].first + i) * stride + at]
      }
      resized[y * stride + at] = Float(sum.rounded())
    }
  }
  return resized
}

/// The source pixels from `first` on that make one pixel of the result; they add to 1.
private struct Triangle {
  let first: Int
  let weights: [Double]
}

private func triangles(from: Int, to: Int) -> [Triangle] {
  let scale = Double(from) / Double(to)
  let support = max(scale, 1)
  return (0..<to).map { i -> Triangle in
    let centre = (Double(i) + 0.5) * scale
    let first = max(0, Int(centre - support + 0.5))
    let end = min(from, Int(centre + support + 0.5))
    let weights = (first..<end).map { max(0, 1 - abs(Double($0) + 0.5 - centre) / support) }
    let sum = weights.reduce(0, +)
    return Triangle(first: first, weights: weights.map { $0 / sum })
  }
}

/// The files of the zip archive at the end of a file; empty when there is none.
func appendedArchive(of file: Data) -> [String: Data] {
  let bytes = [UInt8](file)
  func number(_ at: Int, _ count: Int) -> Int {  // little-endian
    return (0..<count).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
  }
  let last = bytes.count - 22  // where the end record without a comment begins
  let ends = stride(from: last, through: max(0, last - 65535), by: -1)
  guard last >= 0, let end = ends.first(where: { number($0, 4) == 0x0605_4b50 }) else {
    return [:]
  }
  var found: [String: Data] = [:]
  var entry = number(end + 16, 4)
  while entry + 46 <= end, number(entry, 4) == 0x0201_4b50 {
    let nameEnd = entry + 46 + number(entry + 28, 2)
    let local = number(entry + 42, 4)
    guard nameEnd <= end, local + 30 <= end else { return [:] }
    let start = local + 30 + number(local + 26, 2) + number(local + 28, 2)
    let stop = start + number(entry + 20, 4)
    guard stop <= end else { return [:] }
    let content = Data(bytes[start..<stop])
    let name = String(decoding: bytes[(entry + 46)..<nameEnd], as: UTF8.self)
    if number(entry + 10, 2) == 0 {  // stored as it is
      found[name] = content
    } else {
      found[name] = try? (content as NSData).decompressed(using: .zlib) as Data
    }
    entry = nameEnd + number(entry + 30, 2) + number(entry + 32, 2)
  }
  return found
}
