//! Packed bodies: never more than the bound comes out, and never anything but what was packed (I-58).

use turnstone_protocol::Code;
use turnstone_server::fuzzing::unpack;

const BYTES_MAX: usize = 256 << 10;

pub(crate) fn body(data: &[u8]) {
    let Some((how, packed)) = data.split_first() else { return };
    let packing = ["", "gzip", "zstd"][usize::from(*how) % 3];
    match unpack(packed.to_vec(), packing, BYTES_MAX) {
        Ok(bytes) => {
            assert!(bytes.len() <= BYTES_MAX, "{} bytes came out", bytes.len());
            let again = match packing {
                "gzip" => {
                    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                    std::io::Write::write_all(&mut packer, &bytes).expect("packed");
                    packer.finish().expect("packed")
                }
                "zstd" => zstd::bulk::compress(&bytes, 1).expect("packed"),
                _ => bytes.clone(),
            };
            assert_eq!(unpack(again, packing, BYTES_MAX).ok(), Some(bytes));
        }
        Err(problem) => assert!(matches!(problem.code, Code::TooLarge | Code::Malformed), "{:?}", problem.code),
    }
}
