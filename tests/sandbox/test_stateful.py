"""Random calls at random times: every answer in shape, every state possible, no call crashes."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from controller.sandbox.consistency import check
from controller.sandbox.errors import EcsError
from controller.sandbox.faults import BUCKETS, Faults
from controller.sandbox.fleet import DL1, M5_2XLARGE, Machine
from controller.sandbox.images import Exits, ImageRule, Images, Unhealthy
from controller.sandbox.shapes import output_shape, problems
from controller.sandbox.simulator import Options, Simulator

IMAGES = Images((ImageRule("*:crash", Exits(after=7, code=1)), ImageRule("*:sick", Unhealthy())))

names = st.sampled_from(["a", "b", "c"])
families = st.sampled_from(["f", "g"])
counts = st.integers(0, 4)
tags = st.lists(
    st.fixed_dictionaries({"key": st.sampled_from("xyz"), "value": st.text("ab", max_size=2)}),
    min_size=1,
    max_size=2,
    unique_by=lambda tag: tag["key"],
)
bands = st.sampled_from([(100, 200), (0, 100), (50, 100), (50, 150), (75, 300)])
breakers = st.fixed_dictionaries({"enable": st.booleans(), "rollback": st.booleans()})
constraints = st.lists(
    st.sampled_from(
        [
            {"type": "distinctInstance"},
            {"type": "memberOf", "expression": "attribute:ecs.instance-type == dl1.24xlarge"},
            {"type": "memberOf", "expression": "not(task:group == service:b)"},
        ]
    ),
    max_size=2,
)


class World(RuleBasedStateMachine):
    @initialize(lag=st.sampled_from([0.0, 5.0]), throttled=st.booleans())
    def begin(self, lag, throttled):
        faults = Faults(lag=lag, buckets=BUCKETS if throttled else {})
        self.simulator = Simulator(now=1000.0, options=Options(images=IMAGES, faults=faults))
        self.now = 1000.0

    def call(self, operation, **params):
        try:
            answer = self.simulator.call(operation, params, self.now)
        except EcsError:
            return None
        assert not list(problems(output_shape(operation), answer))
        return answer

    def some(self, operation, key, draw, **params):
        answer = self.call(operation, **params)
        return draw(st.sampled_from(answer[key])) if answer and answer[key] else None

    @rule(seconds=st.sampled_from([0.5, 3.0, 10.0, 45.0, 300.0, 4000.0]))
    def wait(self, seconds):
        self.pass_time(seconds)

    def pass_time(self, seconds):
        end = self.now + seconds
        while (due := self.simulator.next_due()) is not None and due <= end:
            self.simulator.advance(due)
            check(self.simulator.world)
        self.now = end

    @rule(
        family=families,
        tag=st.sampled_from(["1", "2", "broken", "crash", "sick"]),
        mode=st.sampled_from(["host", "bridge"]),
        port=st.sampled_from([0, 80, 18100]),
        cpu=st.sampled_from([0, 1024, 90_000]),
        cards=st.sampled_from([None, "all", "0,1", "2,3", "0, 1"]),
        check_=st.booleans(),
    )
    def register(self, *, family, tag, mode, port, cpu, cards, check_):
        container = {"name": "c", "image": f"r/i:{tag}", "memory": 512, "cpu": cpu}
        if port:
            container["portMappings"] = [{"containerPort": port, "hostPort": port}]
        if cards is not None:
            container["environment"] = [{"name": "HABANA_VISIBLE_DEVICES", "value": cards}]
        if check_:
            container["healthCheck"] = {"command": ["CMD", "true"], "interval": 5, "retries": 1}
        self.call("RegisterTaskDefinition", family=family, networkMode=mode, containerDefinitions=[container])

    @rule(family=families, revision=st.integers(1, 5), delete=st.booleans())
    def retire(self, family, revision, delete):
        self.call("DeregisterTaskDefinition", taskDefinition=f"{family}:{revision}")
        if delete:
            self.call("DeleteTaskDefinitions", taskDefinitions=[f"{family}:{revision}"])

    @rule(
        name=names, family=families, count=counts, band=bands, breaker=breakers, where=constraints, daemon=st.booleans()
    )
    def create(self, *, name, family, count, band, breaker, where, daemon):
        params = {"serviceName": name, "taskDefinition": family, "placementConstraints": where}
        if daemon:
            self.call("CreateService", schedulingStrategy="DAEMON", **params)
            return
        configuration = {
            "minimumHealthyPercent": band[0],
            "maximumPercent": band[1],
            "deploymentCircuitBreaker": breaker,
        }
        self.call("CreateService", desiredCount=count, deploymentConfiguration=configuration, **params)

    @rule(name=names, family=families, force=st.booleans())
    def deploy(self, name, family, force):
        self.call("UpdateService", service=name, taskDefinition=family, forceNewDeployment=force)

    @rule(name=names, count=counts)
    def scale(self, name, count):
        self.call("UpdateService", service=name, desiredCount=count)

    @rule(name=names, band=bands, where=constraints)
    def reconfigure(self, name, band, where):
        configuration = {"minimumHealthyPercent": band[0], "maximumPercent": band[1]}
        self.call(
            "UpdateService",
            service=name,
            deploymentConfiguration=configuration,
            placementConstraints=where,
            availabilityZoneRebalancing="DISABLED",
        )

    @rule(name=names, force=st.booleans())
    def delete(self, name, force):
        self.call("DeleteService", service=name, force=force)

    @rule(name=names, kind=st.sampled_from(["ROLLBACK", "ABORT"]))
    def stop_deployment(self, name, kind):
        answer = self.call("ListServiceDeployments", service=name)
        if answer and answer["serviceDeployments"]:
            arn = answer["serviceDeployments"][0]["serviceDeploymentArn"]
            self.call("StopServiceDeployment", serviceDeploymentArn=arn, stopType=kind)
            self.call("DescribeServiceDeployments", serviceDeploymentArns=[arn])

    @rule(family=families, count=st.integers(1, 3), token=st.sampled_from([None, "t1", "t2"]), where=constraints)
    def run(self, family, count, token, where):
        params = {"taskDefinition": family, "count": count, "placementConstraints": where}
        self.call("RunTask", **params, **({"clientToken": token} if token else {}))

    @rule(data=st.data())
    def stop_task(self, data):
        arn = self.some("ListTasks", "taskArns", data.draw)
        if arn:
            self.call("StopTask", task=arn, reason="random")
            self.call("DescribeTasks", tasks=[arn], include=["TAGS"])

    @rule(data=st.data(), status=st.sampled_from(["ACTIVE", "DRAINING"]))
    def drain(self, data, status):
        arn = self.some("ListContainerInstances", "containerInstanceArns", data.draw)
        if arn:
            self.call("UpdateContainerInstancesState", containerInstances=[arn], status=status)

    @rule(data=st.data(), connected=st.booleans())
    def agent(self, data, connected):
        arn = self.some("ListContainerInstances", "containerInstanceArns", data.draw)
        if arn:
            self.simulator.set_agent(arn, connected=connected, now=self.now)

    @rule(data=st.data())
    def lose_a_machine(self, data):
        arn = self.some("ListContainerInstances", "containerInstanceArns", data.draw)
        if arn:
            self.simulator.terminate_instance(arn, self.now)

    @rule(kind=st.sampled_from([DL1, M5_2XLARGE]), zone=st.sampled_from("ab"))
    def add_a_machine(self, kind, zone):
        if len(self.simulator.world.instances) < 6:
            self.simulator.add_instance(Machine(kind, zone), self.now)

    @rule(name=names, tags=tags)
    def tag(self, name, tags):
        arn = f"arn:aws:ecs:us-east-1:123456789012:service/default/{name}"
        self.call("TagResource", resourceArn=arn, tags=tags)
        self.call("UntagResource", resourceArn=arn, tagKeys=["x"])

    @rule()
    def look(self):
        self.call("DescribeServices", services=["a", "b", "c"], include=["TAGS"])
        self.call("DescribeClusters")
        arns = self.call("ListContainerInstances")
        if arns and arns["containerInstanceArns"]:
            self.call("DescribeContainerInstances", containerInstances=arns["containerInstanceArns"])

    @rule()
    def go_on_with_a_copy(self):
        self.simulator = self.simulator.copy()

    @invariant()
    def possible(self):
        if hasattr(self, "simulator"):
            check(self.simulator.world)

    def teardown(self):
        """Whatever happened: with room, a good image and an open band, every service gets to its end."""
        if not hasattr(self, "simulator"):
            return
        self.simulator.set_faults(Faults())
        self.simulator.add_instance(Machine(M5_2XLARGE, "a"), self.now)
        for arn in list(self.simulator.world.instances):
            self.simulator.set_agent(arn, connected=True, now=self.now)
        container = {"name": "c", "image": "r/i:good", "memory": 64}
        self.call("RegisterTaskDefinition", family="good", containerDefinitions=[container])
        services = [s for s in self.simulator.world.services.values() if s.status == "ACTIVE"]
        for service in services:
            self.call(
                "UpdateService",
                service=service.name,
                taskDefinition="good",
                placementConstraints=[],
                **({} if service.daemon else {"desiredCount": 2}),
                deploymentConfiguration={"maximumPercent": 100 if service.daemon else 200, "minimumHealthyPercent": 0},
                availabilityZoneRebalancing="DISABLED",
            )
        self.pass_time(4 * 3600)
        for service in services:
            answer = self.call("DescribeServices", services=[service.name])["services"][0]
            rollouts = [deployment["rolloutState"] for deployment in answer["deployments"]]
            assert (rollouts, answer["runningCount"]) == (["COMPLETED"], answer["desiredCount"]), answer["events"][:3]


TestRandomCalls = World.TestCase
TestRandomCalls.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
