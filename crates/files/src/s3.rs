//! The S3-compatible store.

use std::time::Duration;

use object_store::{
    RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
};

use crate::{
    FilesConfig, OpenError,
    config::secret,
    s3_client::{Connector, connector},
};

/// Times a request that failed on the way is sent again.
const MAX_RETRIES: usize = 3;
/// No request is sent again this long after the first.
const RETRY_FOR: Duration = Duration::from_secs(20);

/// The store of a bucket. Asks nothing of it yet.
pub(crate) fn store(config: &FilesConfig, bucket: &str) -> Result<AmazonS3, OpenError> {
    let key = secret(
        "FILES_S3_ACCESS_KEY_ID",
        config.files_s3_access_key_id.as_ref(),
    )?;
    let secret = secret(
        "FILES_S3_SECRET_ACCESS_KEY",
        config.files_s3_secret_access_key.as_ref(),
    )?;
    let endpoint = config.files_s3_endpoint.as_deref();
    let plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&config.files_s3_region)
        .with_access_key_id(key)
        .with_secret_access_key(secret)
        .with_allow_http(plain)
        .with_retry(RetryConfig {
            max_retries: MAX_RETRIES,
            retry_timeout: RETRY_FOR,
            ..RetryConfig::default()
        })
        .with_http_connector(Connector(connector(plain)?));
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    builder.build().map_err(OpenError::S3)
}
