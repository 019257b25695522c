"""Variables that are secrets, and the contents of the vault."""

from __future__ import annotations

from pathlib import Path

from configurations import over

# --------------------------------------------------------------------------------------------- variables and secrets


def test_a_value_with_a_secret_in_it_becomes_a_secret(good: Path) -> None:
    config = over(
        good,
        "services: {worker: {environment: {A: 'x {{ secrets.given }} {{ postgresql.host }}', B: '{{ secrets.given }}',"
        " C: '{{ monitoring.connection_string }}', D: '{{ redis.url }}', E: '{{ rabbitmq.url }}',"
        " F: '{{ postgresql.login }}'}}}",
    )

    assert [(v.name, v.template, v.secret) for v in config.variables("worker")] == [
        ("A", None, "worker-a"),
        ("B", None, "given"),
        ("C", None, "monitoring-connection-string"),
        ("D", None, "redis-url"),
        ("E", None, "rabbitmq-url"),
        ("F", "{{ postgresql.login }}", None),
    ]
    secrets = config.vault_secrets()
    assert {name: secret.origin for name, secret in secrets.items()} == {
        "given": "given",
        "monitoring-connection-string": "monitoring",
        "postgresql-admin-password": "postgresql_password",
        "rabbitmq-password": "generated",
        "rabbitmq-url": "composed",
        "redis-password": "redis_password",
        "redis-url": "composed",
        "worker-a": "composed",
    }
    assert secrets["rabbitmq-url"].template == "amqp://demo:{{ secrets.rabbitmq_password | urlencode }}@rabbitmq:5672"
    assert (
        secrets["redis-url"].template == "rediss://:{{ redis.password | urlencode }}@{{ redis.host }}:{{ redis.port }}"
    )
    assert secrets["redis-password"].used_by == ("services.worker",)


def test_addresses_of_services_follow_from_their_ingress(good: Path) -> None:
    config = over(
        good,
        "services: {worker: {environment: {A: '{{ services.api.url }}', B: '{{ services.worker.url }}',"
        " C: '{{ services.rabbitmq.host }}:{{ services.rabbitmq.port }}', D: '{{ services.worker.port }}'}}}",
    )

    assert [v.template for v in config.variables("worker")] == [
        "https://api.{{ container_apps.default_domain }}",
        "http://worker.internal.{{ container_apps.default_domain }}",
        "rabbitmq:5672",
        "80",
    ]


def test_a_plain_value_under_secrets_goes_to_the_vault(good: Path) -> None:
    config = over(good, "services: {worker: {secrets: {API_KEY: plain-value}}}")

    assert config.variables("worker")[0].secret == "worker-api-key"
    assert config.vault_secrets()["worker-api-key"].value == "plain-value"
    assert config.vault_secrets()["worker-api-key"].origin == "given"


def test_a_migration_has_its_services_variables_overridden_by_its_own(good: Path) -> None:
    config = over(
        good,
        "services: {api: {environment: {A: '1', B: '2'}, secrets: {DATABASE_URL: '{{ postgresql.url }}'}}}\n"
        "migrations:\n- {service: api, command: x, environment: {B: '3', C: '4'}}\n"
        "- {service: api, command: y, database: other}\n",
    )
    first, second = config.migrations

    assert [(v.name, v.template, v.secret) for v in config.migration_variables(first)] == [
        ("A", "1", None), ("B", "3", None), ("C", "4", None), ("DATABASE_URL", None, "api-database-url"),
    ]  # fmt: skip
    assert config.migration_variables(second)[2].secret == "api-migration-database-url"
    secrets = config.vault_secrets()
    assert "/api?" in str(secrets["api-database-url"].template)
    assert "/other?" in str(secrets["api-migration-database-url"].template)
    assert secrets["api-database-url"].used_by == ("migrations.api", "services.api")


def test_empty_secrets_are_generated_only_where_asked(good: Path) -> None:
    config = over(good, "secrets: {jwt_secret: '', rabbitmq_password: given, mine: {generate: true}, unused: ''}")

    assert {name: secret.origin for name, secret in config.vault_secrets().items()} == {
        "given": "given",
        "jwt-secret": "generated",
        "mine": "generated",
        "postgresql-admin-password": "postgresql_password",
        "rabbitmq-password": "given",
    }


def test_a_secret_that_needs_encoding_in_a_url_is_reported(good: Path) -> None:
    text = "services: {worker: {environment: {P: '{{ rabbitmq.password }}'}}}\nsecrets: {rabbitmq_password: 'a/b@c'}"

    assert any("encode" in notice for notice in over(good, text).notices)
    assert over(good, text.replace("a/b@c", "abc")).notices == []


def test_valid_but_risky_values_give_notices(good: Path) -> None:
    config = over(
        good,
        "postgresql: {version: 13}\nredis: {sku: Standard}\ndocker: {dockerfiles: {wroker: Dockerfile, rabbitmq: x}}\n"
        "services: {worker: {args: ['{{ item.host }}'], build_args: {NPM_TOKEN: x},"
        " volume: {mount_path: /data}, min_replicas: 0}}\nsecrets: {odd: 'x{{ redis.host }}'}",
    )

    notices = "\n".join(config.notices)
    for words in [
        "docker.dockerfiles.wroker belongs to no service; did you mean `worker`?",
        "docker.dockerfiles.rabbitmq has no effect",
        "postgresql.version 13 is in paid extended support",
        "redis.sku Standard",
        "services.worker.build_args.NPM_TOKEN looks like a secret",
        "services.worker.args: placeholders are replaced in variables only",
        "secrets.odd: placeholders are replaced in variables only",
        "services.worker stores files in an empty_dir",
    ]:
        assert words in notices
