//! `ct.*`, `s3.*`, `ec2.*`, `ecr.*`, `iam.*`: records of AWS CloudTrail.
//!
//! Members of records are those of the "CloudTrail record contents" page of its user guide.

use std::borrow::Cow;

use clew_event::json::Value;
use clew_event::{FieldId, FieldValue, Scalar};

use super::record::{Asked, How, is_true, list, string_or_empty};
use super::{boolean_text, maybe, owned, unsigned};

#[rustfmt::skip]
#[allow(clippy::too_many_lines, reason = "one line a field")]
pub(super) fn how(id: FieldId) -> Option<How> {
    use FieldId as F;
    let how = match id {
        F::CtId => How::Text(&["eventID"]),
        F::CtError => How::Text(&["errorCode"]),
        F::CtErrormessage => How::Text(&["errorMessage"]),
        F::CtTime => How::Text(&["eventTime"]),
        F::CtSrc => How::Text(&["eventSource"]),
        F::CtShortsrc => How::Made(short_source),
        F::CtName => How::Text(&["eventName"]),
        F::CtUser => How::Made(user),
        F::CtOriginaluser => How::Made(original_user),
        F::CtUserAccountid => How::Made(account),
        F::CtUserIdentitytype => How::Text(&["userIdentity", "type"]),
        F::CtUserPrincipalid => How::Text(&["userIdentity", "principalId"]),
        F::CtUserArn => How::Text(&["userIdentity", "arn"]),
        F::CtRegion => How::Text(&["awsRegion"]),
        F::CtResponseSubnetid => How::Text(&["responseElements", "subnetId"]),
        F::CtResponseReservationid => How::Text(&["responseElements", "reservationId"]),
        F::CtResponse => How::Json(&["responseElements"]),
        F::CtRequestAvailabilityzone => How::Text(&["requestParameters", "availabilityZone"]),
        F::CtRequestCluster => How::Text(&["requestParameters", "cluster"]),
        F::CtRequestFunctionname => How::Text(&["requestParameters", "functionName"]),
        F::CtRequestGroupname => How::Text(&["requestParameters", "groupName"]),
        F::CtRequestHost => How::Text(&["requestParameters", "Host"]),
        F::CtRequestName => How::Text(&["requestParameters", "name"]),
        F::CtRequestPolicy => How::Text(&["requestParameters", "policy"]),
        F::CtRequestReason => How::Text(&["requestParameters", "reason"]),
        F::CtRequestTarget => How::Text(&["requestParameters", "target"]),
        F::CtRequestDocumentname => How::Text(&["requestParameters", "documentName"]),
        F::CtRequestSerialnumber => How::Text(&["requestParameters", "serialNumber"]),
        F::CtRequestServicename => How::Text(&["requestParameters", "serviceName"]),
        F::CtRequestSubnetid => How::Text(&["requestParameters", "subnetId"]),
        F::CtRequestTaskdefinition => How::Text(&["requestParameters", "taskDefinition"]),
        F::CtRequestUsername => How::Text(&["requestParameters", "userName"]),
        F::CtRequest => How::Json(&["requestParameters"]),
        F::CtSrcip => How::Text(&["sourceIPAddress"]),
        F::CtUseragent => How::Text(&["userAgent"]),
        F::CtInfo => How::Made(summary),
        F::CtManagementevent => How::Flag(&["managementEvent"]),
        F::CtReadonly => How::Made(read_only),
        F::CtRequestid => How::Text(&["requestID"]),
        F::CtEventtype => How::Text(&["eventType"]),
        F::CtApiversion => How::Text(&["apiVersion"]),
        F::CtResources => How::Made(resources),
        F::CtRecipientaccountid => How::Text(&["recipientAccountId"]),
        F::CtServiceeventdetails => How::Text(&["serviceEventDetails"]),
        F::CtSharedeventid => How::Text(&["sharedEventID"]),
        F::CtVpcendpointid => How::Text(&["vpcEndpointId"]),
        F::CtEventcategory => How::Text(&["eventCategory"]),
        F::CtAddendumReason => How::Text(&["addendum", "reason"]),
        F::CtAddendumUpdatedfields => How::Text(&["addendum", "updatedFields"]),
        F::CtAddendumOriginalrequestid => How::Text(&["addendum", "originalRequestID"]),
        F::CtAddendumOriginaleventid => How::Text(&["addendum", "originalEventID"]),
        F::CtSessioncredentialfromconsole => How::Flag(&["sessionCredentialFromConsole"]),
        F::CtEdgedevicedetails => How::Text(&["edgeDeviceDetails"]),
        F::CtTlsdetailsTlsversion => How::Text(&["tlsDetails", "tlsVersion"]),
        F::CtTlsdetailsCiphersuite => How::Text(&["tlsDetails", "cipherSuite"]),
        F::CtTlsdetailsClientprovidedhostheader => How::Text(&["tlsDetails", "clientProvidedHostHeader"]),
        F::CtAdditionaleventdata => How::Json(&["additionalEventData"]),
        F::S3Uri => How::Made(object_uri),
        F::S3Bucket => How::Text(&["requestParameters", "bucketName"]),
        F::S3Key => How::Text(&["requestParameters", "key"]),
        F::S3Bytes => How::Made(bytes_moved),
        F::S3BytesIn => How::Number(&["additionalEventData", "bytesTransferredIn"]),
        F::S3BytesOut => How::Number(&["additionalEventData", "bytesTransferredOut"]),
        F::S3CntGet => How::Made(is_get),
        F::S3CntPut => How::Made(is_put),
        F::S3CntOther => How::Made(is_other),
        F::Ec2Name => How::Made(instance_name),
        F::Ec2Imageid => How::Made(first_image),
        F::Ec2Imageids => How::Made(images),
        F::EcrRepository => How::Text(&["requestParameters", "repositoryName"]),
        F::EcrImagetag => How::Text(&["requestParameters", "imageTag"]),
        F::IamRole => How::Text(&["requestParameters", "roleName"]),
        F::IamPolicy => How::Text(&["requestParameters", "policyName"]),
        _ => return None,
    };
    Some(how)
}

fn short_source<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    maybe(asked.at(&["eventSource"]), |_| {
        let source = asked.text_at(&["eventSource"]);
        owned(source.strip_suffix(b".amazonaws.com").unwrap_or(&source))
    })
}

/// A user by its name, a service by its own, a role by the role's; of the other kinds of identity
/// that Falco knows, the kind.
fn user<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let kind = asked.text_at(&["userIdentity", "type"]);
    let issuer = ["userIdentity", "sessionContext", "sessionIssuer", "userName"];
    match kind.as_slice() {
        b"Root" | b"IAMUser" => maybe(asked.at(&["userIdentity", "userName"]), string_or_empty),
        b"AWSService" => maybe(asked.at(&["userIdentity", "invokedBy"]), string_or_empty),
        b"AssumedRole" => asked.at(&issuer).map_or_else(|| "AssumedRole".into(), string_or_empty),
        b"AWSAccount" | b"FederatedUser" => owned(kind),
        _ => FieldValue::Missing,
    }
}

fn original_user<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    if asked.text_at(&["userIdentity", "type"]) != b"AssumedRole" {
        return maybe(asked.at(&["userIdentity", "userName"]), string_or_empty);
    }
    // `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`, or `ID:SESSION`.
    let (arn, id) =
        (asked.text_at(&["userIdentity", "arn"]), asked.text_at(&["userIdentity", "principalId"]));
    match (part_of(&arn, b'/', 3), part_of(&id, b':', 2)) {
        (Some(session), _) | (None, Some(session)) => owned(session),
        (None, None) => FieldValue::Missing,
    }
}

/// The last of exactly so many parts.
fn part_of(text: &[u8], separator: u8, count: usize) -> Option<&[u8]> {
    let parts: Vec<_> = text.split(|&byte| byte == separator).collect();
    (parts.len() == count).then(|| parts.last().copied()).flatten()
}

fn account<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let own = asked.at(&["userIdentity", "accountId"]);
    maybe(own.or_else(|| asked.at(&["recipientAccountId"])), string_or_empty)
}

/// Records say it as a flag, and a few as a text.
fn read_only<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    maybe(asked.at(&["readOnly"]), |flag| boolean_text(is_true(flag) || flag.is("true")))
}

fn resources<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let resources = asked.at(&["resources"]).into_iter().flat_map(Value::items);
    let resources: Vec<_> = resources.map(Value::as_text).collect();
    if resources.is_empty() { FieldValue::Missing } else { owned(resources.join(&b',')) }
}

fn object_uri<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let text = |name: &str| asked.at(&["requestParameters", name]).and_then(Value::string);
    match (text("bucketName"), text("key")) {
        (Some(bucket), Some(key)) => owned([b"s3://", &*bucket, b"/", &*key].concat()),
        _ => FieldValue::Missing,
    }
}

fn bytes_moved<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let bytes = |name: &str| {
        asked.at(&["additionalEventData", name]).map(|value| value.unsigned().unwrap_or_default())
    };
    match (bytes("bytesTransferredIn"), bytes("bytesTransferredOut")) {
        (None, None) => FieldValue::Missing,
        (up, down) => unsigned(up.unwrap_or_default().saturating_add(down.unwrap_or_default())),
    }
}

fn is_get<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    one_if(asked.text_at(&["eventName"]) == b"GetObject")
}

fn is_put<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    one_if(asked.text_at(&["eventName"]) == b"PutObject")
}

fn is_other<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let name = asked.text_at(&["eventName"]);
    one_if(name != b"GetObject" && name != b"PutObject")
}

/// Falco counts what is, and has no value for what is not.
fn one_if<'a>(is: bool) -> FieldValue<'a> {
    if is { unsigned(1) } else { FieldValue::Missing }
}

fn instance_name<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let items = asked.at(&["requestParameters", "tagSpecificationSet", "items"]);
    let of_instances = items
        .into_iter()
        .flat_map(Value::items)
        .filter(|item| item.get("resourceType").is_some_and(|kind| kind.is("instance")));
    let names = of_instances.filter_map(|item| {
        let mut tags = item.get("tags")?.items();
        tags.find(|tag| tag.get("key").is_some_and(|key| key.is("Name")))?.get("value")?.string()
    });
    maybe(names.filter(|name| !name.is_empty()).last(), |name| FieldValue::One(Scalar::Text(name)))
}

fn first_image<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    maybe(image_ids(asked, Some(0)).into_iter().next(), |id| FieldValue::One(Scalar::Text(id)))
}

fn images<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    list(image_ids(asked, asked.index()).into_iter().map(Scalar::Text))
}

/// Images of the instances that were answered with, else the one that was asked for.
fn image_ids<'a>(asked: &Asked<'_, 'a>, index: Option<usize>) -> Vec<Cow<'a, [u8]>> {
    let id = |item: Value<'_, 'a>| item.get("imageId")?.string().filter(|id| !id.is_empty());
    if let Some(items) = asked.at(&["responseElements", "instancesSet", "items"]) {
        return match index {
            Some(index) => items.items().nth(index).and_then(id).into_iter().collect(),
            None => items.items().filter_map(id).collect(),
        };
    }
    const ASKED_FOR: [&[&str]; 3] = [
        &["imageId"],
        &["DescribeFastLaunchImagesRequest", "ImageId", "content"],
        &["launchSpecification", "imageId"],
    ];
    let request = asked.at(&["requestParameters"]).filter(|_| index.unwrap_or(0) == 0);
    let found = request.and_then(|request| ASKED_FOR.iter().find_map(|path| request.at(path)));
    found.and_then(Value::string).into_iter().collect()
}

/// The call in one line: who, from where, whether it failed (`!`), whether it changed something
/// (`→`, else `←`), what; then the object or host it was about.
pub(super) fn summary<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let shown = |value: FieldValue<'a>| match value {
        FieldValue::One(Scalar::Text(text)) => String::from_utf8_lossy(&text).into_owned(),
        _ => String::new(),
    };
    let text = |path: &[&str]| String::from_utf8_lossy(&asked.text_at(path)).into_owned();
    let (who, place) = (shown(user(asked)), text(&["sourceIPAddress"]));
    let failed = if asked.at(&["errorCode"]).is_some() { "!" } else { "" };
    let changes = asked.at(&["readOnly"]).is_some_and(|flag| !is_true(flag));
    let direction = if changes { "→" } else { "←" };
    let via = if who == place { String::new() } else { format!(" via {place}") };
    let mut line = format!("{who}{via} {failed}{direction} {}", text(&["eventName"]));
    if let FieldValue::One(Scalar::Unsigned(size)) = bytes_moved(asked) {
        line.push_str(&format!(" Size={size}"));
    }
    let about = [
        ("URI", shown(object_uri(asked))),
        ("Bucket", text(&["requestParameters", "bucketName"])),
        ("Key", text(&["requestParameters", "key"])),
        ("Host", text(&["requestParameters", "Host"])),
    ];
    if let Some((name, value)) = about.into_iter().find(|(_, value)| !value.is_empty()) {
        line.push_str(&format!(" {name}={value}"));
    }
    owned(line)
}
