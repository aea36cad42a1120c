use mooring_api::{
    Descriptor, RequestId,
    params::Publish,
    prompt::{Duration, FromPrompt},
    stream_port::StreamMessage,
};
use serde_json::json;

use super::*;

fn read<T: for<'de> serde::Deserialize<'de>>(json: serde_json::Value) -> Result<T, ValueError> {
    from_value(json.into())
}

#[test]
fn numbers_fit_where_they_are_whole() {
    assert_eq!(
        read::<StreamMessage>(json!({"type": "credit", "bytes": 5})).unwrap(),
        StreamMessage::Credit { bytes: 5 }
    );
    for bad in [json!(-1), json!(1.5), json!(1e300), json!("5"), json!(null)] {
        assert!(read::<StreamMessage>(json!({"type": "credit", "bytes": bad})).is_err());
    }
    assert_eq!(read::<RequestId>(json!(3)).unwrap(), RequestId::Number(3.0));
    assert_eq!(
        read::<RequestId>(json!(-3.5)).unwrap(),
        RequestId::Number(-3.5)
    );
    assert_eq!(
        read::<RequestId>(json!("3")).unwrap(),
        RequestId::Text("3".into())
    );
    assert!(from_value::<u64>(Value::Number(f64::NAN)).is_err());
    assert!(from_value::<u8>(Value::Number(256.0)).is_err());
}

#[test]
fn bytes_stay_bytes() {
    let message = StreamMessage::Data {
        bytes: serde_bytes::ByteBuf::from(vec![1, 2]),
    };
    let value = to_value(&message).unwrap();
    assert_eq!(value.get("bytes"), Some(&Value::Bytes(vec![1, 2])));
    assert_eq!(from_value::<StreamMessage>(value).unwrap(), message);
    let publish: Publish = from_value(Value::object([
        ("topic", Value::text("t")),
        ("data", Value::Bytes(vec![9])),
    ]))
    .unwrap();
    assert_eq!(publish.data.as_slice(), [9]);
}

#[test]
fn enums_and_unknown_fields() {
    let answer = json!({"t": "answer", "id": "p", "granted": [{"name": "dial", "privateNetwork": true}], "denied": [], "duration": "hour"});
    assert_eq!(
        read::<FromPrompt>(answer).unwrap(),
        FromPrompt::Answer {
            id: "p".into(),
            granted: vec![Descriptor::Dial {
                private_network: true
            }],
            denied: vec![],
            duration: Duration::Hour,
        }
    );
    assert!(read::<Descriptor>(json!({"name": "dial", "everything": true})).is_err());
    assert!(read::<Descriptor>(json!({"name": "nose"})).is_err());
    assert!(read::<Descriptor>(json!("dial")).is_err());
    assert!(read::<Descriptor>(json!(["dial"])).is_err());
}

#[test]
fn what_has_no_place_is_an_error_where_it_is_read() {
    let weird = Value::object([
        ("topic", Value::Opaque(Opaque::Kind)),
        ("data", Value::Bytes(vec![])),
    ]);
    assert!(from_value::<Publish>(weird).is_err());
    let beside = Value::object([
        ("topic", Value::text("t")),
        ("data", Value::Bytes(vec![])),
        ("x", Value::Opaque(Opaque::Kind)),
    ]);
    assert!(from_value::<Publish>(beside).is_ok());
}

#[test]
fn depth_is_noticed() {
    let nest = |levels: usize| (0..levels).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    assert_eq!(nest(MAX_DEPTH).excess(), None);
    assert_eq!(
        nest(MAX_DEPTH.saturating_add(1)).excess(),
        Some(Opaque::TooDeep)
    );
}

proptest::proptest! {
    #[test]
    fn json_survives(text in ".{0,20}", number in -1e18f64..1e18, flag: bool) {
        let json = json!({"a": [text, {"b": number}], "c": flag, "d": null});
        let value = Value::from(json.clone());
        let again: serde_json::Value = from_value(value.clone()).unwrap();
        proptest::prop_assert_eq!(Value::from(again), value.clone());
        proptest::prop_assert_eq!(to_value(&json).unwrap(), value);
    }
}
