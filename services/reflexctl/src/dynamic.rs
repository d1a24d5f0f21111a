//! Messages that are known by their descriptor only, on the wire and as JSON.

use prost::Message as _;
use prost::bytes::{Buf as _, BufMut as _};
use prost_reflect::{DynamicMessage, MessageDescriptor, SerializeOptions};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Encodes any message and decodes the one it was made for.
pub(crate) struct DynamicCodec(MessageDescriptor);

impl DynamicCodec {
    pub(crate) fn new(answer: MessageDescriptor) -> Self {
        Self(answer)
    }
}

impl Codec for DynamicCodec {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = DynamicEncoder;
    type Decoder = DynamicDecoder;

    fn encoder(&mut self) -> DynamicEncoder {
        DynamicEncoder
    }

    fn decoder(&mut self) -> DynamicDecoder {
        DynamicDecoder(self.0.clone())
    }
}

pub(crate) struct DynamicEncoder;

impl Encoder for DynamicEncoder {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(message.encoded_len());
        buffer.put_slice(&message.encode_to_vec());
        Ok(())
    }
}

pub(crate) struct DynamicDecoder(MessageDescriptor);

impl Decoder for DynamicDecoder {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        let message = DynamicMessage::decode(self.0.clone(), bytes);
        message
            .map(Some)
            .map_err(|error| Status::data_loss(format!("the answer cannot be decoded: {error}")))
    }
}

/// Returns a message of generated code as proto3 JSON with every field, also those at their default.
pub(crate) fn to_json<M: prost::Message>(full_name: &str, message: &M) -> serde_json::Value {
    let descriptor = reflex_proto::descriptor_pool()
        .get_message_by_name(full_name)
        .expect("callers name messages of our own protos");
    let mut dynamic = DynamicMessage::new(descriptor);
    dynamic
        .transcode_from(message)
        .expect("generated code and descriptors come from the same protos");
    dynamic_json(&dynamic)
}

/// Returns a message as proto3 JSON with every field, also those at their default.
pub(crate) fn dynamic_json(message: &DynamicMessage) -> serde_json::Value {
    let options = SerializeOptions::new().skip_default_fields(false);
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .expect("a message of our protos has a JSON form")
}
