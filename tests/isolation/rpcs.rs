//! Calling any rpc by its path, with a message built from its descriptor.

use nonrecours_rpc::client::PeerChannel;
use nonrecours_testkit::raw;
use prost_reflect::{DynamicMessage, MethodDescriptor, Value};
use tonic::Status;

/// `/package.Service/Method`.
pub fn path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

/// Calls with one message and waits for the first answer or the refusal.
pub async fn call(
    channel: PeerChannel,
    method: &MethodDescriptor,
    message: &DynamicMessage,
) -> Result<(), Status> {
    let messages = vec![prost::Message::encode_to_vec(message)];
    let mut answers = raw::open(channel, &path(method), messages).await?;
    answers.message().await.map(drop)
}

/// A request in which every name is that of `operator`'s, all else empty. `None`: the rpc names no operator's resource.
pub fn naming(method: &MethodDescriptor, operator: &str) -> Option<DynamicMessage> {
    let mut message = DynamicMessage::new(method.input());
    let name = name_for(method, operator)?;
    let text = Value::String(name);
    for field in ["name", "parent", "convention"] {
        let found = method.input().get_field_by_name(field);
        if let Some(field) =
            found.filter(|field| matches!(field.kind(), prost_reflect::Kind::String))
        {
            message.set_field(&field, text);
            return Some(message);
        }
    }
    // An update names its resource inside it, a stream in its opening.
    let (outer, inner) = match method.name() {
        "PushRecords" => ("opening".to_owned(), "convention"),
        "UploadAttachment" => ("opening".to_owned(), "parent"),
        _ => (snake(method.name().strip_prefix("Update")?), "name"),
    };
    let outer = method.input().get_field_by_name(&outer)?;
    let mut nested = DynamicMessage::new(outer.kind().as_message()?.clone());
    nested.set_field_by_name(inner, text);
    message.set_field(&outer, Value::Message(nested));
    Some(message)
}

/// What the names of rpcs begin with that name the parent of what they are about.
const PARENTS: [&str; 3] = ["List", "Create", "Enter"];

fn name_for(method: &MethodDescriptor, operator: &str) -> Option<String> {
    const ID: &str = "01980000-0000-7000-8000-0000000000aa";
    let convention = format!("{operator}/conventions/{ID}");
    if matches!(
        method.name(),
        "PushRecords"
            | "PushRecordsOnce"
            | "GetPushProgress"
            | "GetIndicators"
            | "ListHistory"
            | "UploadAttachment"
            | "GenerateDocument"
            | "ExplainInstalments"
            | "VerifyLedger"
    ) {
        return Some(convention);
    }
    if method.name() == "DownloadAttachment" {
        return Some(format!("{convention}/attachments/{ID}"));
    }
    if method.name() == "GetStatementOfPayments" {
        return Some(format!("{convention}/paymentPlan"));
    }
    if method.name() == "DownloadDocument" {
        return Some(format!("{convention}/documents/{ID}"));
    }
    if method.name() == "EraseBeneficiary" {
        return Some(format!("{operator}/beneficiaries/{ID}"));
    }
    if method.name() == "ExportPersonalData" {
        return Some(format!("{operator}/subjectRequests/{ID}"));
    }
    if method.name() == "ReleaseErasedReference"
        || matches!(
            method.name(),
            "PreviewRetention"
                | "ApplyRetention"
                | "MergeBeneficiaries"
                | "ListDuplicateCandidates"
        )
    {
        return Some(operator.to_owned());
    }
    // What they answer with is no resource.
    if matches!(
        method.name(),
        "QueryIndicators" | "ListRenewals" | "ListAccesses"
    ) {
        return Some(operator.to_owned());
    }
    let pattern = pattern(method)?;
    if !pattern.starts_with("operators/") {
        return None;
    }
    let own: Vec<&str> = pattern.split('/').collect();
    let segments = match method.name() {
        // The list of a singleton is that of the operator's conventions.
        name if name.starts_with("List") && own.len() % 2 == 1 => own.get(..2)?,
        // A parent is the name without the last pair.
        name if PARENTS.iter().any(|verb| name.starts_with(verb)) => own.get(..own.len() - 2)?,
        _ => own.as_slice(),
    };
    if segments.is_empty() {
        return None;
    }
    let filled: Vec<&str> = segments
        .iter()
        .map(|segment| match *segment {
            "{operator}" => operator.strip_prefix("operators/").unwrap_or(operator),
            // The one name that ends with a number.
            "{version}" => "1",
            variable if variable.starts_with('{') => ID,
            fixed => fixed,
        })
        .collect();
    Some(filled.join("/"))
}

/// The pattern of the resource that the rpc is about: what it answers with, or what its list holds.
fn pattern(method: &MethodDescriptor) -> Option<String> {
    let pool = method.parent_pool().clone();
    let extension = pool.get_extension_by_name("google.api.resource")?;
    let answered = method.output();
    let listed = answered
        .fields()
        .filter(|field| field.is_list())
        .find_map(|field| field.kind().as_message().cloned());
    [Some(answered), listed]
        .into_iter()
        .flatten()
        .find_map(|message| {
            let options = message.options();
            if !options.has_extension(&extension) {
                return None;
            }
            let resource = options.get_extension(&extension);
            let patterns = resource
                .as_message()?
                .get_field_by_name("pattern")?
                .into_owned();
            Some(patterns.as_list()?.first()?.as_str()?.to_owned())
        })
}

fn snake(camel: &str) -> String {
    let mut text = String::new();
    for (index, letter) in camel.chars().enumerate() {
        if letter.is_uppercase() && index > 0 {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}
