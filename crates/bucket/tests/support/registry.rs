//! The registry's side of issuing sessions: assumes the role on the sandbox, keeps the session until it is refused.

use std::sync::{Arc, Mutex};

use api::client::{Worker, connect};
use api::worker::worker_service_server::{WorkerService, WorkerServiceServer};
use api::worker::*;
use aws_credential_types::Credentials;
use aws_sdk_sts::config::{BehaviorVersion, Region};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::{EXTERNAL_ID, ROLE, platform};

pub(crate) struct Registry {
    address: String,
    issuing: Issuing,
}

#[derive(Clone)]
struct Issuing {
    sts: aws_sdk_sts::Client,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    current: Option<IssueCredentialsResponse>,
    refused: Vec<String>,
    asked: u32,
    fails: Option<Status>,
    keeps: bool,
}

impl Registry {
    pub(crate) async fn start(sts: &str, shutdown: CancellationToken) -> Self {
        let platform = platform();
        let keys = Credentials::new(platform.access_key_id, platform.secret_access_key, None, None, "test");
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new("us-east-1"))
            .endpoint_url(sts)
            .credentials_provider(keys);
        let sts = aws_sdk_sts::Client::from_conf(config.build());
        let issuing = Issuing { sts, state: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder()
            .add_service(WorkerServiceServer::new(issuing.clone()))
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), shutdown.cancelled_owned());
        tokio::spawn(server);
        Self { address, issuing }
    }

    pub(crate) fn client(&self) -> Worker {
        Worker::new(connect(&self.address, "token").unwrap())
    }

    /// Lets every ask fail from now on.
    pub(crate) fn fail(&self, status: Status) {
        self.issuing.state.lock().unwrap().fails = Some(status);
    }

    /// Whether a session that S3 refused is issued again, as by a registry that replaced it a moment ago.
    pub(crate) fn keep(&self, keeps: bool) {
        self.issuing.state.lock().unwrap().keeps = keeps;
    }

    /// How often a session was asked for.
    pub(crate) fn asked(&self) -> u32 {
        self.issuing.state.lock().unwrap().asked
    }

    /// The sessions that were said to be refused.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.issuing.state.lock().unwrap().refused.clone()
    }

    pub(crate) fn current_key(&self) -> String {
        self.issuing.state.lock().unwrap().current.as_ref().unwrap().access_key_id.clone()
    }
}

impl Issuing {
    async fn assume(&self) -> IssueCredentialsResponse {
        let assume = self.sts.assume_role().role_arn(ROLE).role_session_name("test").external_id(EXTERNAL_ID);
        let answer = assume.send().await.unwrap();
        let issued = answer.credentials().unwrap();
        IssueCredentialsResponse {
            access_key_id: issued.access_key_id().into(),
            secret_access_key: issued.secret_access_key().into(),
            session_token: issued.session_token().into(),
            expires_at: Some(prost_types::Timestamp { seconds: issued.expiration().secs(), nanos: 0 }),
        }
    }
}

#[tonic::async_trait]
impl WorkerService for Issuing {
    async fn issue_credentials(
        &self,
        request: Request<IssueCredentialsRequest>,
    ) -> Result<Response<IssueCredentialsResponse>, Status> {
        let request = request.into_inner();
        assert_eq!((request.source_id.as_str(), request.worker_id.as_str()), ("source", "worker"));
        let kept = {
            let mut state = self.state.lock().unwrap();
            state.asked += 1;
            if let Some(status) = &state.fails {
                return Err(status.clone());
            }
            if !request.refused_access_key_id.is_empty() {
                state.refused.push(request.refused_access_key_id.clone());
            }
            let keeps = state.keeps;
            let will_do = |current: &IssueCredentialsResponse| {
                keeps || current.access_key_id != request.refused_access_key_id
            };
            state.current.clone().filter(will_do)
        };
        let issued = match kept {
            Some(kept) => kept,
            None => self.assume().await,
        };
        self.state.lock().unwrap().current = Some(issued.clone());
        Ok(Response::new(issued))
    }

    async fn lease_scan(&self, _: Request<LeaseScanRequest>) -> Result<Response<LeaseScanResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn renew_lease(
        &self,
        _: Request<RenewLeaseRequest>,
    ) -> Result<Response<RenewLeaseResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn record_objects(
        &self,
        _: Request<RecordObjectsRequest>,
    ) -> Result<Response<RecordObjectsResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn list_unpublished(
        &self,
        _: Request<ListUnpublishedRequest>,
    ) -> Result<Response<ListUnpublishedResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn mark_published(
        &self,
        _: Request<MarkPublishedRequest>,
    ) -> Result<Response<MarkPublishedResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn complete_scan(
        &self,
        _: Request<CompleteScanRequest>,
    ) -> Result<Response<CompleteScanResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn release_claims(
        &self,
        _: Request<ReleaseClaimsRequest>,
    ) -> Result<Response<ReleaseClaimsResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn claim_files(
        &self,
        _: Request<ClaimFilesRequest>,
    ) -> Result<Response<ClaimFilesResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    type ListDeletedSubjectsStream = tokio_stream::Empty<Result<ListDeletedSubjectsResponse, Status>>;

    async fn list_deleted_subjects(
        &self,
        _: Request<ListDeletedSubjectsRequest>,
    ) -> Result<Response<Self::ListDeletedSubjectsStream>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn lease_event_queues(
        &self,
        _: Request<LeaseEventQueuesRequest>,
    ) -> Result<Response<LeaseEventQueuesResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn record_events(
        &self,
        _: Request<RecordEventsRequest>,
    ) -> Result<Response<RecordEventsResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }
}
