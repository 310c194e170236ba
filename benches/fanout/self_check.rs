//! Before anything is measured: does the check of what clients get notice what it must?

use std::io;
use std::time::Duration;

use super::check::{Faults, Stream};
use super::feeder;

/// Streams of lines with these numbers, and what is wrong with them.
const CASES: [(&[u64], Faults); 5] = [
    (&[1, 2, 3, 4, 5], Faults { lost: 0, repeated: 0 }),
    (&[1, 2, 4, 5], Faults { lost: 1, repeated: 0 }),
    (&[1, 2, 2, 3], Faults { lost: 0, repeated: 1 }),
    (&[1, 3, 2, 4], Faults { lost: 1, repeated: 1 }),
    (&[2, 3], Faults { lost: 1, repeated: 0 }),
];

/// Tries all cases, in chunks of several sizes and without, cut at every place.
pub(crate) fn run() -> io::Result<()> {
    for (numbers, faults) in CASES {
        for chunk in [None, Some(1), Some(7), Some(161), Some(100_000)] {
            let bytes = response(numbers, chunk);
            for cut in 1..bytes.len() {
                let mut stream = Stream::new();
                let mut seen = Vec::new();
                for part in [&bytes[..cut], &bytes[cut..]] {
                    stream.take(part, |number, data| seen.push((number, feeder::due_of(data))))?;
                }
                let newest = numbers.iter().copied().max().unwrap_or(0);
                let are_due = seen.iter().all(|(number, due)| *due == Some(Duration::from_nanos(*number)));
                if stream.faults != faults || stream.newest() != newest || !are_due {
                    let got = stream.faults;
                    return Err(io::Error::other(format!(
                        "the check is blind: {got:?} in {numbers:?}, chunks {chunk:?}, cut at {cut}"
                    )));
                }
            }
        }
    }
    Ok(())
}

/// An answer with these lines, between things that are not lines.
fn response(numbers: &[u64], chunk: Option<usize>) -> Vec<u8> {
    let mut body = b": hello\nretry: 2000\ndata: {\"not\":\"a line\"}\n\n".to_vec();
    for number in numbers {
        body.extend_from_slice(format!("id: {number}\ndata: ").as_bytes());
        feeder::push(&mut body, *number, Duration::from_nanos(*number));
        body.extend_from_slice(b"\n:\n");
    }
    let coding = if chunk.is_some() { "Transfer-Encoding: chunked\r\n" } else { "" };
    let mut bytes = format!("HTTP/1.1 200 OK\r\n{coding}X: y\r\n\r\n").into_bytes();
    match chunk {
        None => bytes.extend_from_slice(&body),
        Some(size) => {
            for chunk in body.chunks(size) {
                bytes.extend_from_slice(format!("{:08x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
        }
    }
    bytes
}
