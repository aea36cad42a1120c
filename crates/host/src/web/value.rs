//! JavaScript's values to ours and back. Whatever comes, nothing here throws or panics: every access that can run
//! foreign code (getters, proxies) is caught, depth and size are bounded before anything is copied, and a cycle ends
//! at the depth.

use js_sys::{Array, JsString, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use crate::{
    Opaque, Value,
    limits::{MAX_DEPTH, MAX_MESSAGE_VALUES, MAX_MESSAGE_WEIGHT},
};

/// What one message may still take.
struct Budget {
    weight: usize,
    values: usize,
}

impl Budget {
    fn value(&mut self) -> Option<()> {
        self.values = self.values.checked_sub(1)?;
        Some(())
    }

    fn weigh(&mut self, units: u32, bytes_each: usize) -> Option<()> {
        let weight = usize::try_from(units).ok()?.checked_mul(bytes_each)?;
        self.weight = self.weight.checked_sub(weight)?;
        Some(())
    }
}

/// Converts a message.
pub(super) fn from_js(value: &JsValue) -> Value {
    let mut budget = Budget {
        weight: MAX_MESSAGE_WEIGHT,
        values: MAX_MESSAGE_VALUES,
    };
    convert(value, 0, &mut budget)
}

fn convert(value: &JsValue, depth: usize, budget: &mut Budget) -> Value {
    if depth > MAX_DEPTH.saturating_add(1) {
        return Value::Opaque(Opaque::TooDeep);
    }
    if budget.value().is_none() {
        return Value::Opaque(Opaque::TooLarge);
    }
    if value.is_null() || value.is_undefined() {
        return Value::Null;
    }
    if let Some(value) = value.as_bool() {
        return Value::Bool(value);
    }
    if let Some(number) = value.as_f64() {
        return Value::Number(number);
    }
    if let Some(text) = value.dyn_ref::<JsString>().filter(|_| value.is_string()) {
        return convert_text(text, budget).map_or(Value::Opaque(Opaque::TooLarge), Value::Text);
    }
    if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
        return match budget.weigh(bytes.length(), 1) {
            Some(()) => Value::Bytes(bytes.to_vec()),
            None => Value::Opaque(Opaque::TooLarge),
        };
    }
    let deeper = depth.saturating_add(1);
    if Array::is_array(value) {
        return convert_list(value, deeper, budget);
    }
    if value.is_object() && is_plain(value) {
        return convert_object(value, deeper, budget);
    }
    Value::Opaque(Opaque::Kind)
}

fn convert_text(text: &JsString, budget: &mut Budget) -> Option<String> {
    // A UTF-16 unit becomes at most three bytes; counted as one, since most are, and the bound is generous.
    budget.weigh(text.length(), 1)?;
    Some(String::from(text))
}

fn convert_list(value: &JsValue, depth: usize, budget: &mut Budget) -> Value {
    let length = Reflect::get(value, &JsValue::from_str("length"))
        .ok()
        .and_then(|length| length.as_f64());
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    // of an array: whole and 32 bits
    let length = match length {
        Some(length) if length <= f64::from(u32::MAX) => length as u32,
        _ => return Value::Opaque(Opaque::Kind),
    };
    let mut items = Vec::new();
    for index in 0..length {
        // A sparse array is as long as it says; the budget ends it.
        if budget.values == 0 {
            items.push(Value::Opaque(Opaque::TooLarge));
            break;
        }
        items.push(match Reflect::get_u32(value, index) {
            Ok(item) => convert(&item, depth, budget),
            Err(_) => Value::Opaque(Opaque::Kind),
        });
    }
    Value::List(items)
}

/// Whether it is an object literal's kind: what structured clone makes of one, and not a Map, Date, Error …
fn is_plain(value: &JsValue) -> bool {
    let Some(object) = value.dyn_ref::<Object>() else {
        // An object without a prototype is an instance of nothing.
        return matches!(prototype(value), Some(prototype) if prototype.is_null());
    };
    match prototype(object) {
        Some(prototype) => {
            prototype.is_null() || prototype == *Object::get_prototype_of(&Object::new())
        }
        None => false,
    }
}

fn prototype(value: &JsValue) -> Option<JsValue> {
    Reflect::get_prototype_of(value).ok().map(JsValue::from)
}

fn convert_object(value: &JsValue, depth: usize, budget: &mut Budget) -> Value {
    let Ok(keys) = Reflect::own_keys(value) else {
        return Value::Opaque(Opaque::Kind);
    };
    let mut members = Vec::new();
    for key in keys.iter() {
        let Some(name) = key.dyn_ref::<JsString>().filter(|_| key.is_string()) else {
            continue; // a symbol
        };
        if budget.values == 0 {
            members.push((String::new(), Value::Opaque(Opaque::TooLarge)));
            break;
        }
        let Some(name) = convert_text(name, budget) else {
            members.push((String::new(), Value::Opaque(Opaque::TooLarge)));
            break;
        };
        match Reflect::get(value, &key) {
            Ok(member) if member.is_undefined() => {}
            Ok(member) => members.push((name, convert(&member, depth, budget))),
            Err(_) => members.push((name, Value::Opaque(Opaque::Kind))),
        }
    }
    Value::Map(members)
}

/// Converts a message of ours.
pub(super) fn to_js(value: Value) -> JsValue {
    match value {
        Value::Null => JsValue::NULL,
        Value::Bool(value) => JsValue::from_bool(value),
        Value::Number(number) => JsValue::from_f64(number),
        Value::Text(text) => JsValue::from_str(&text),
        Value::Bytes(bytes) => Uint8Array::from(bytes.as_slice()).into(),
        Value::List(items) => items.into_iter().map(to_js).collect::<Array>().into(),
        Value::Map(members) => {
            let object = Object::new();
            for (key, member) in members {
                // Fails for frozen objects only, which this is not.
                let _ = Reflect::set(&object, &JsValue::from_str(&key), &to_js(member));
            }
            object.into()
        }
        Value::Opaque(_) => JsValue::UNDEFINED,
    }
}
