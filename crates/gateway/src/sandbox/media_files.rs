//! The smallest files that players and viewers take: a pixel, a tone and silence.

/// Samples per second of the tone, as in OpenAI's PCM.
const SAMPLE_RATE: u32 = 24_000;
/// A tenth of a second.
const SAMPLES: usize = 2_400;
/// Samples for which the tone stays at one level: about 440 Hz.
const HALF_PERIOD: usize = 27;
const LEVEL: i16 = 2_000;

/// Header of a frame of MPEG-1 layer III: 128 kbit/s, 44.1 kHz, mono, without a checksum.
const MP3_HEADER: [u8; 4] = [0xff, 0xfb, 0x90, 0xc0];
/// Size of such a frame: 144 × 128,000 / 44,100.
const MP3_FRAME_BYTES: usize = 417;
const MP3_FRAMES: usize = 4;

/// An image of one pixel, as PNG.
pub(super) fn png(color: [u8; 3]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    // Width, height, 8 bits of each of three colors, and no options.
    png_chunk(&mut file, *b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0]);
    let [red, green, blue] = color;
    let row = [0, red, green, blue];
    // Zlib's header, and the row in one block that is not compressed.
    let mut data = vec![0x78, 0x01, 0x01, 4, 0, 0xfb, 0xff];
    data.extend_from_slice(&row);
    data.extend_from_slice(&adler32(&row).to_be_bytes());
    png_chunk(&mut file, *b"IDAT", &data);
    png_chunk(&mut file, *b"IEND", &[]);
    file
}

fn png_chunk(file: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    let content = [kind.as_slice(), data].concat();
    file.extend_from_slice(&length_of(data).to_be_bytes());
    file.extend_from_slice(&content);
    file.extend_from_slice(&crc32(&content).to_be_bytes());
}

/// Length of data that is known to be short.
fn length_of(data: &[u8]) -> u32 {
    u32::try_from(data.len()).unwrap_or(u32::MAX)
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

fn adler32(bytes: &[u8]) -> u32 {
    let (low, high) = bytes.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    high << 16 | low
}

/// A tone in 16-bit samples, without a header.
pub(super) fn pcm() -> Vec<u8> {
    let level =
        |sample: usize| if (sample / HALF_PERIOD).is_multiple_of(2) { LEVEL } else { -LEVEL };
    (0..SAMPLES).flat_map(|sample| level(sample).to_le_bytes()).collect()
}

/// The tone as WAV.
pub(super) fn wav() -> Vec<u8> {
    let samples = pcm();
    let length = length_of(&samples);
    let mut file = b"RIFF".to_vec();
    file.extend_from_slice(&(36 + length).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0");
    // PCM in one channel.
    file.extend_from_slice(&[1, 0, 1, 0]);
    file.extend_from_slice(&SAMPLE_RATE.to_le_bytes());
    // Bytes per second; then bytes and bits of a sample.
    file.extend_from_slice(&(2 * SAMPLE_RATE).to_le_bytes());
    file.extend_from_slice(&[2, 0, 16, 0]);
    file.extend_from_slice(b"data");
    file.extend_from_slice(&length.to_le_bytes());
    file.extend(samples);
    file
}

/// Silence as MP3: frames without content.
pub(super) fn mp3() -> Vec<u8> {
    let mut frame = MP3_HEADER.to_vec();
    frame.resize(MP3_FRAME_BYTES, 0);
    frame.repeat(MP3_FRAMES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standards() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b"IEND"), 0xae42_6082);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn files_state_their_lengths() {
        let png = png([1, 2, 3]);
        assert_eq!(png.len(), 8 + (12 + 13) + (12 + 15) + 12);
        assert!(png.ends_with(b"\0\0\0\0IEND\xae\x42\x60\x82"));
        let wav = wav();
        assert_eq!(wav.len(), 44 + 2 * SAMPLES);
        assert_eq!(&wav[4..8], length_of(&wav[8..]).to_le_bytes());
        assert_eq!(&wav[40..44], length_of(&wav[44..]).to_le_bytes());
        assert_eq!(mp3().len(), MP3_FRAMES * MP3_FRAME_BYTES);
        assert!(mp3().chunks(MP3_FRAME_BYTES).all(|frame| frame.starts_with(&MP3_HEADER)));
    }
}
