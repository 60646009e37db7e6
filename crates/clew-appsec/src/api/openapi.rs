//! What was learned of an API, as OpenAPI 3.1.
//!
//! Marks beside the standard: `x-clew-requests` (answered well), `x-clew-users`,
//! `x-clew-anonymous-percent`, `x-clew-owner-only` (places whose objects are asked for only by whom
//! they were handed out to), `x-clew-role` (endpoints with the same number are used by the same
//! principals), `x-clew-zombie` (an old version beside a newer one that nearly everybody uses),
//! `x-clew-shadow` (used by fewer than three, or known for less than a day of a grown API).

use clew_event::Text;
use serde_json::{Map, Value, json};

use super::Apis;
use super::detect::inventory::ZOMBIE_SHARE;
use super::endpoint::Endpoint;
use super::schema::{Field, Schema};
use super::sketch::{hash64, mix};
use super::value::{Sensitive, Shape};

const DAY_NS: u64 = 86_400_000_000_000;
/// Of so few exceptions in a hundred a place is its owners' alone.
const OWNER_ODD_PERCENT: u32 = 2;
const OWNER_OCCASIONS: u32 = 64;

pub(super) fn document(apis: &Apis, workload: &Text, host: &Text) -> Value {
    let key = mix(hash64(workload.as_bytes()), hash64(&super::host(host.as_bytes())));
    let Some(api) = apis.apis.get(key) else { return Value::Null };
    let is_current = |endpoint: &&Endpoint| {
        endpoint.api == key && apis.paths.is_current(key, endpoint.template.as_bytes())
    };
    let mut endpoints: Vec<&Endpoint> = apis.endpoints.values().filter(is_current).collect();
    endpoints.sort_by(|a, b| (&a.template, &a.method).cmp(&(&b.template, &b.method)));
    let last_ns = endpoints.iter().map(|endpoint| endpoint.last_ns).max().unwrap_or(0);
    let roles = roles(&endpoints, api.principals.distinct());
    let mut paths: Map<String, Value> = Map::new();
    for (endpoint, role) in endpoints.iter().zip(roles) {
        let mut told = operation(endpoint);
        if let Some(role) = role {
            set(&mut told, "x-clew-role", json!(role));
        }
        let newer = apis.newer_version(endpoint.kin, endpoint.version);
        let is_zombie = newer.is_some_and(|newer| {
            endpoint.oks.saturating_mul(ZOMBIE_SHARE) <= apis.version_oks(endpoint.kin, newer)
        });
        if is_zombie {
            set(&mut told, "x-clew-zombie", json!(true));
        }
        let is_late = DAY_NS < endpoint.first_ns.saturating_sub(api.first_ns)
            && last_ns.saturating_sub(endpoint.first_ns) < DAY_NS;
        if endpoint.users.distinct() < 3 || is_late {
            set(&mut told, "x-clew-shadow", json!(true));
        }
        let path = paths.entry(named(endpoint)).or_insert_with(|| json!({}));
        set(path, &endpoint.method.to_string().to_ascii_lowercase(), told);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("{} as {} serves it", api.host, api.workload),
            "version": "learned",
            "x-clew-requests": api.exchanges,
            "x-clew-principals": api.principals.distinct(),
        },
        "servers": [{ "url": format!("//{}", api.host) }],
        "paths": paths,
    })
}

/// A number for each endpoint that sets a role apart: the first of those that are used alike.
fn roles(endpoints: &[&Endpoint], principals: u64) -> Vec<Option<usize>> {
    let mut groups: Vec<&Endpoint> = Vec::new();
    let mut roles = Vec::new();
    for endpoint in endpoints {
        if principals <= endpoint.users.distinct() * 2 || endpoint.users.kept().is_empty() {
            roles.push(None);
            continue;
        }
        let alike = |group: &&Endpoint| 50 <= group.users.likeness_percent(&endpoint.users);
        let place = groups.iter().position(alike);
        roles.push(Some(place.unwrap_or(groups.len()) + 1));
        if place.is_none() {
            groups.push(endpoint);
        }
    }
    roles
}

/// The template with a name for each parameter, each once: `/orders/{number}/items/{number2}`.
fn named(endpoint: &Endpoint) -> String {
    let template = endpoint.template.to_str_lossy();
    let mut count = 0;
    let part = |part: &str| match part.strip_suffix('}') {
        Some(open) if part.starts_with('{') => {
            count += 1;
            if count == 1 { part.to_owned() } else { format!("{open}{count}}}") }
        }
        Some(_) | None => part.to_owned(),
    };
    template.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn operation(endpoint: &Endpoint) -> Value {
    let path = named(endpoint);
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = names
        .zip(&endpoint.parameters)
        .map(|(name, values)| {
            json!({
                "name": name,
                "in": "path",
                "required": true,
                "schema": { "type": if name.starts_with("number") { "integer" } else { "string" } },
                "x-clew-values": values.distinct(),
            })
        })
        .collect();
    for field in sorted(&endpoint.query) {
        parameters.push(json!({
            "name": field.name.to_string(),
            "in": "query",
            "required": is_always(&endpoint.query, field),
            "schema": schema_of(field),
        }));
    }
    let mut responses = Map::new();
    for (status, count) in &endpoint.statuses {
        let mut told = json!({ "description": format!("{count} times") });
        if (200..300).contains(status) && !endpoint.answer.fields.is_empty() {
            set(
                &mut told,
                "content",
                json!({ "application/json": { "schema": object(&endpoint.answer) } }),
            );
        }
        responses.insert(status.to_string(), told);
    }
    let mut told = json!({
        "parameters": parameters,
        "responses": responses,
        "x-clew-requests": endpoint.oks,
        "x-clew-users": endpoint.users.distinct(),
        "x-clew-anonymous-percent": endpoint.anonymous.odd_percent(),
    });
    if !endpoint.sent.fields.is_empty() {
        let content = json!({ "application/json": { "schema": object(&endpoint.sent) } });
        set(&mut told, "requestBody", json!({ "content": content }));
    }
    let is_own = |owned: &&super::endpoint::Owned| {
        OWNER_OCCASIONS <= owned.habit.occasions() && owned.habit.odd_percent() < OWNER_ODD_PERCENT
    };
    let own: Vec<String> =
        endpoint.owned.iter().filter(is_own).map(|owned| owned.place.to_string()).collect();
    if !own.is_empty() {
        set(&mut told, "x-clew-owner-only", json!(own));
    }
    told
}

fn set(told: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = told {
        members.insert(name.to_owned(), value);
    }
}

/// Fields by their names.
fn sorted(schema: &Schema) -> Vec<&Field> {
    let mut fields: Vec<&Field> = schema.fields.values().collect();
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    fields
}

const fn is_always(schema: &Schema, field: &Field) -> bool {
    field.present == schema.contents
}

/// The fields by the paths of their names, flat: `items[].id` is one property.
fn object(schema: &Schema) -> Value {
    let fields = sorted(schema);
    let always = fields.iter().filter(|field| is_always(schema, field));
    let required: Vec<String> = always.map(|field| field.name.to_string()).collect();
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_string(), schema_of(field))).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn schema_of(field: &Field) -> Value {
    let types: Vec<&str> = ["null", "boolean", "number", "string"]
        .into_iter()
        .enumerate()
        .filter(|(place, _)| field.kinds & (1 << place) != 0)
        .map(|(_, name)| name)
        .collect();
    let mut told = json!({ "type": types, "x-clew-present": field.present });
    let shapes: Vec<Shape> =
        Shape::ALL.into_iter().filter(|shape| field.shapes & (1 << *shape as u16) != 0).collect();
    if let [shape @ (Shape::Uuid | Shape::Date | Shape::Email | Shape::Url)] = shapes.as_slice() {
        set(&mut told, "format", json!(shape.name()));
    }
    if let Some((least, most)) = field.lengths.range() {
        set(&mut told, "x-clew-length", json!([least, most]));
    }
    let classes: Vec<&str> = Sensitive::ALL
        .into_iter()
        .filter(|class| field.sensitive & (1 << *class as u8) != 0)
        .map(Sensitive::name)
        .collect();
    if !classes.is_empty() {
        set(&mut told, "x-clew-sensitive", json!(classes));
    }
    told
}
