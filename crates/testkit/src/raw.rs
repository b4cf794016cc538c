//! Any rpc by its path, in bytes.

use nonrecours_rpc::client::PeerChannel;
use prost::bytes::{Buf, BufMut, Bytes};
use tonic::{
    Request, Status, Streaming,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::{http::uri::PathAndQuery, tokio_stream},
};

/// Bytes in, bytes out: an answer is searched as it is on the wire.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let left = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(left)))
    }
}

/// Calls an rpc by its path, `/package.Service/Method`, with these messages. One in and one out are the same on the wire for a
/// unary rpc as for a stream.
pub async fn open(
    channel: PeerChannel,
    path: &str,
    messages: Vec<Vec<u8>>,
) -> Result<Streaming<Bytes>, Status> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await?;
    let path: PathAndQuery = path.parse().unwrap();
    let request = Request::new(tokio_stream::iter(messages));
    Ok(grpc.streaming(request, path, Raw).await?.into_inner())
}
