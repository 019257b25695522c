"""The supported server parameters: type, default, allowed values, and whether a change requires a restart.

Names, defaults and limits are those of learn.microsoft.com/azure/postgresql/server-parameters for version 16 on the
smallest server; the shape is recorded (Azure/azure-cli). A server of Azure has some 400 parameters: these are the ones
that deployments set, any other name does not exist here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

_EXTENSIONS = (
    "address_standardizer,address_standardizer_data_us,age,amcheck,azure_ai,azure_storage,bloom,btree_gin,btree_gist,"
    "citext,cube,dblink,dict_int,dict_xsyn,earthdistance,fuzzystrmatch,hll,hstore,hypopg,intagg,intarray,isn,lo,"
    "login_hook,ltree,oracle_fdw,orafce,pageinspect,pg_buffercache,pg_cron,pg_diskann,pg_freespacemap,pg_hint_plan,"
    "pg_partman,pg_prewarm,pg_repack,pg_squeeze,pg_stat_statements,pg_trgm,pg_visibility,pgaudit,pgcrypto,pglogical,"
    "pgrowlocks,pgstattuple,plpgsql,plv8,postgis,postgis_raster,postgis_sfcgal,postgis_tiger_geocoder,"
    "postgis_topology,postgres_fdw,semver,session_variable,sslinfo,tablefunc,tds_fdw,timescaledb,topn,"
    "tsm_system_rows,tsm_system_time,unaccent,uuid-ossp,vector"
)
_LIBRARIES = (
    "age,anon,auto_explain,azure_storage,credcheck,pg_cron,pg_duckdb,pg_failover_slots,pg_hint_plan,pg_partman_bgw,"
    "pg_prewarm,pg_squeeze,pg_stat_statements,pgaudit,pglogical,timescaledb,wal2json"
)
_LOG_LEVELS = "debug5,debug4,debug3,debug2,debug1,info,notice,warning,error,log,fatal,panic"
_INT = "0-2147483647"


@dataclass(frozen=True)
class Parameter:
    """One server parameter. `allowed`: a range `a-b`, words, or a pattern; `dynamic`: it works without a restart."""

    kind: str
    default: str
    allowed: str
    dynamic: bool = True
    unit: str = ""
    read_only: bool = False
    page: str = "client"

    def problem(self, value: str) -> bool:
        """Return whether a value is not allowed."""
        if self.kind == "Integer":
            return not (re.fullmatch(r"-?\d+", value) and self._in_range(float(value)))
        if self.kind == "Numeric":
            return not (re.fullmatch(r"-?\d+(\.\d+)?", value) and self._in_range(float(value)))
        if self.kind == "Set":
            known = set(self.allowed.lower().split(","))
            return bool({part.strip().lower() for part in value.split(",") if part.strip()} - known)
        if self.kind in ("Boolean", "Enumeration"):
            return value.lower() not in self.allowed.lower().split(",")
        return re.fullmatch(self.allowed, value) is None

    def _in_range(self, value: float) -> bool:
        low, high = re.fullmatch(r"(-?[\d.]+)-(-?[\d.]+)", self.allowed).groups()  # type: ignore[union-attr]
        return float(low) <= value <= float(high)


def _integer(default: str, allowed: str, **more: Any) -> Parameter:
    return Parameter("Integer", default, allowed, **more)


def _switch(default: str, **more: Any) -> Parameter:
    return Parameter("Boolean", default, "on,off", **more)


PARAMETERS: dict[str, Parameter] = {
    "autovacuum": _switch("on", page="autovacuum"),
    "autovacuum_max_workers": _integer("3", "1-262143", dynamic=False, page="autovacuum"),
    "autovacuum_naptime": _integer("60", "1-2147483", unit="seconds", page="autovacuum"),
    "autovacuum_vacuum_scale_factor": Parameter("Numeric", "0.2", "0-100", page="autovacuum"),
    "azure.accepted_password_auth_method": Parameter("Set", "md5,scram-sha-256", "md5,scram-sha-256"),
    "azure.extensions": Parameter("Set", "", _EXTENSIONS),
    "azure_storage.allow_network_access": _switch("off"),
    "checkpoint_timeout": _integer("600", "30-86400", unit="seconds", page="wal"),
    "client_encoding": Parameter("String", "SQL_ASCII", r"[A-Za-z0-9_]*"),
    "cron.database_name": Parameter("String", "postgres", r".*", dynamic=False),
    "deadlock_timeout": _integer("1000", "1-2147483647", unit="milliseconds", page="locks"),
    "default_transaction_isolation": Parameter(
        "Enumeration", "read committed", "serializable,repeatable read,read committed,read uncommitted"
    ),
    "effective_cache_size": _integer("196608", "1-2147483647", unit="8KB", page="query"),
    "hot_standby_feedback": _switch("off", page="replication"),
    "idle_in_transaction_session_timeout": _integer("0", _INT, unit="milliseconds"),
    "idle_session_timeout": _integer("0", _INT, unit="milliseconds"),
    "lock_timeout": _integer("0", _INT, unit="milliseconds"),
    "log_checkpoints": _switch("on", page="logging"),
    "log_connections": _switch("on", page="logging"),
    "log_disconnections": _switch("on", page="logging"),
    "log_lock_waits": _switch("off", page="logging"),
    "log_min_duration_statement": _integer("-1", "-1-2147483647", unit="milliseconds", page="logging"),
    "log_min_messages": Parameter("Enumeration", "warning", _LOG_LEVELS, page="logging"),
    "log_statement": Parameter("Enumeration", "none", "none,ddl,mod,all", page="logging"),
    "logfiles.download_enable": _switch("off"),
    "logfiles.retention_days": _integer("3", "1-7"),
    "maintenance_work_mem": _integer("99328", "1024-2097151", unit="KB", page="resource"),
    "max_connections": _integer("50", "25-5000", dynamic=False, page="connection"),
    "max_locks_per_transaction": _integer("64", "10-8388608", dynamic=False, page="locks"),
    "max_parallel_workers": _integer("8", "0-1024", page="resource"),
    "max_parallel_workers_per_gather": _integer("2", "0-1024", page="resource"),
    "max_prepared_transactions": _integer("0", "0-262143", dynamic=False, page="resource"),
    "max_replication_slots": _integer("10", "2-262143", dynamic=False, page="replication"),
    "max_wal_senders": _integer("10", "5-100", dynamic=False, page="replication"),
    "max_wal_size": _integer("2048", "32-65536", unit="MB", page="wal"),
    "max_worker_processes": _integer("8", "0-262143", dynamic=False, page="resource"),
    "min_wal_size": _integer("80", "32-2097151", unit="MB", page="wal"),
    "password_encryption": Parameter("Enumeration", "scram-sha-256", "md5,scram-sha-256", page="connection"),
    "pg_qs.query_capture_mode": Parameter("Enumeration", "none", "top,all,none"),
    "pg_stat_statements.max": _integer("5000", "100-2147483647", dynamic=False),
    "pg_stat_statements.track": Parameter("Enumeration", "none", "top,all,none"),
    "pgaudit.log": Parameter("Set", "none", "none,read,write,function,role,ddl,misc,all"),
    "pgbouncer.default_pool_size": _integer("50", "1-4950"),
    "pgbouncer.enabled": Parameter("Boolean", "false", "true,false"),
    "pgbouncer.max_client_conn": _integer("5000", "100-50000"),
    "pgbouncer.pool_mode": Parameter("Enumeration", "transaction", "session,transaction,statement"),
    "random_page_cost": Parameter("Numeric", "2", "0-1000000", page="query"),
    "require_secure_transport": _switch("on"),
    "row_security": _switch("on"),
    "search_path": Parameter("String", '"$user", public', r".*"),
    "server_encoding": Parameter("String", "UTF8", r".*", read_only=True),
    "shared_buffers": _integer("32768", "16-1073741823", dynamic=False, unit="8KB", page="resource"),
    "shared_preload_libraries": Parameter("Set", "pg_cron,pg_stat_statements", _LIBRARIES, dynamic=False),
    "ssl_min_protocol_version": Parameter("Enumeration", "TLSv1.2", "TLSv1.2,TLSv1.3", page="connection"),
    "statement_timeout": _integer("0", _INT, unit="milliseconds"),
    "synchronous_commit": Parameter("Enumeration", "on", "local,remote_write,remote_apply,on,off", page="wal"),
    "temp_buffers": _integer("1024", "100-1073741823", unit="8KB", page="resource"),
    "timezone": Parameter("String", "UTC", r"[A-Za-z][A-Za-z0-9/_+-]*"),
    "track_io_timing": _switch("off", page="statistics"),
    "wal_buffers": _integer("2048", "-1-262143", dynamic=False, unit="8KB", page="wal"),
    "wal_level": Parameter("Enumeration", "replica", "replica,logical", dynamic=False, page="wal"),
    "work_mem": _integer("4096", "4096-2097151", unit="KB", page="resource"),
}


def shown(name: str, value: str | None, source: str, *, pending: bool, version: str) -> Json:
    """Return a parameter's properties as in GET."""
    known = PARAMETERS[name]
    anchor = name.upper().replace("_", "-")
    return {
        "value": known.default if value is None else value,
        "description": f"Sets {name}.",
        "defaultValue": known.default,
        "dataType": known.kind,
        "allowedValues": known.allowed,
        "source": source,
        "isDynamicConfig": known.dynamic,
        "isReadOnly": known.read_only,
        "isConfigPendingRestart": pending,
        "unit": known.unit,
        "documentationLink": f"https://www.postgresql.org/docs/{version}/runtime-config-{known.page}.html#GUC-{anchor}",
    }
