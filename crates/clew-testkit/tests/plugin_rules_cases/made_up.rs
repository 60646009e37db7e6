//! Records made up from the meaning of the rules, with what they find.

/// Lines of records, and how often each rule finds something.
type Cases = &'static [(&'static str, &'static [(&'static str, usize)])];

pub(crate) const GITHUB: Cases = &[
    (
        r#"{"headers":{"X-GitHub-Event":"repository"},"body":{"action":"publicized","sender":{"login":"ann"},"repository":{"private":false}}}"#,
        &[("Private Repository Becoming Public", 1)],
    ),
    (
        r#"{"webhook_type":"repository","action":"created","repository":{"private":true}}"#,
        &[("Create Repository", 1)],
    ),
    (
        r#"{"webhook_type":"repository","action":"created","repository":{"private":false}}"#,
        &[("Create Public Repository", 1), ("Create Repository", 1)],
    ),
    (
        r#"{"webhook_type":"push","repository":{"private":true},"files":[{"name":"a","matches":[]},{"name":"b","matches":[{"desc":"key","line":3}]}]}
           {"webhook_type":"push","repository":{"private":true},"files":[{"name":"a","matches":[]}]}
           {"webhook_type":"push","repository":{"private":true}}"#,
        &[("Secret pushed into a private repository", 1)],
    ),
    (
        r#"{"webhook_type":"workflow_run","action":"requested","workflow_miner_detections":{"matches":[{"type":"xmrig"}]}}
           {"webhook_type":"workflow_run","action":"requested","workflow_miner_detections":{"matches":[]}}"#,
        &[("Github action with miners", 1)],
    ),
    (r#"{"webhook_type":"star","action":"created"}"#, &[]),
];

pub(crate) const OKTA: Cases = &[
    (
        r#"{"eventType":"user.account.lock","published":"2024-01-01T00:00:00Z","actor":{"id":"1"}}"#,
        &[("User has been locked out in OKTA", 1)],
    ),
    (
        r#"{"eventType":"user.session.start","published":"2024-01-01T00:00:00Z","actor":{"id":"1"}}"#,
        &[("Detecting unknown logins using geolocation", 1)],
    ),
    // The third failure within five minutes; the fourth comes from another actor, the fifth late.
    (
        r#"{"eventType":"user.authentication.auth_via_mfa","published":"2024-01-01T00:00:00Z","actor":{"id":"1"},"outcome":{"result":"FAILURE"}}
           {"eventType":"user.authentication.auth_via_mfa","published":"2024-01-01T00:02:00Z","actor":{"id":"1"},"outcome":{"result":"FAILURE"}}
           {"eventType":"user.authentication.auth_via_mfa","published":"2024-01-01T00:03:00Z","actor":{"id":"1"},"outcome":{"result":"SUCCESS"}}
           {"eventType":"user.authentication.auth_via_mfa","published":"2024-01-01T00:04:00Z","actor":{"id":"1"},"outcome":{"result":"FAILURE"}}
           {"eventType":"user.authentication.auth_via_mfa","published":"2024-01-01T00:04:01Z","actor":{"id":"2"},"outcome":{"result":"FAILURE"}}
           {"eventType":"user.authentication.auth_via_mfa","published":"2024-01-01T00:08:00Z","actor":{"id":"1"},"outcome":{"result":"FAILURE"}}"#,
        &[("Too many failed MFA in last 5min", 1)],
    ),
    (
        r#"{"eventType":"user.mfa.okta_verify.deny_push","published":"2024-01-01T00:00:00Z","actor":{"id":"1"}}
           {"eventType":"user.mfa.okta_verify.deny_push","published":"2024-01-01T00:00:01Z","actor":{"id":"1"}}
           {"eventType":"user.mfa.okta_verify.deny_push","published":"2024-01-01T00:00:02Z","actor":{"id":"1"}}"#,
        &[("Too many denied MFA Pushes in last 5min", 1)],
    ),
];

const ALL: (&str, usize) = ("All Cloudtrail Events", 1);

pub(crate) const CLOUDTRAIL: Cases = &[
    (
        r#"{"eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","userIdentity":{"type":"Root"},"responseElements":{"ConsoleLogin":"Success"},"additionalEventData":{"MFAUsed":"No"}}"#,
        &[ALL, ("Console Login Without MFA", 1), ("Console Root Login Without MFA", 1)],
    ),
    (
        r#"{"eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","userIdentity":{"type":"IAMUser"},"responseElements":{"ConsoleLogin":"Failure"},"additionalEventData":{"MFAUsed":"No"},"errorMessage":"Failed authentication"}"#,
        &[ALL],
    ),
    (
        r#"{"eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","userIdentity":{"type":"AssumedRole"},"responseElements":{"ConsoleLogin":"Success"},"additionalEventData":{"MFAUsed":"No"}}"#,
        &[ALL, ("Console Login Through Assume Role", 1)],
    ),
    (
        r#"{"eventSource":"s3.amazonaws.com","eventName":"PutBucketPublicAccessBlock","requestParameters":{"publicAccessBlock":"","bucketName":"b","PublicAccessBlockConfiguration":{"RestrictPublicBuckets":true,"BlockPublicPolicy":false,"BlockPublicAcls":true,"IgnorePublicAcls":true}}}"#,
        &[ALL, ("Delete Bucket Public Access Block", 1)],
    ),
    (
        r#"{"eventSource":"s3.amazonaws.com","eventName":"PutBucketPublicAccessBlock","requestParameters":{"publicAccessBlock":"","PublicAccessBlockConfiguration":{"RestrictPublicBuckets":true,"BlockPublicPolicy":true,"BlockPublicAcls":true,"IgnorePublicAcls":true}}}"#,
        &[ALL],
    ),
    (
        r#"{"eventSource":"iam.amazonaws.com","eventName":"DeactivateMFADevice","userIdentity":{"type":"Root"},"requestParameters":{"userName":"AWS ROOT USER"}}"#,
        &[ALL, ("Deactivate MFA for Root User", 1)],
    ),
    (
        r#"{"eventSource":"ecs.amazonaws.com","eventName":"RunTask","requestParameters":{"cluster":"c"}}"#,
        &[ALL, ("ECS Task Run or Started", 1)],
    ),
];
